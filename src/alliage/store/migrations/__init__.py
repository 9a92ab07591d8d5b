"""The schema's history, run by Alembic. A migration never imports `tables`: it must mean the same for ever."""
