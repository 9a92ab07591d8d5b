"""Floor 6: SQL snapshot and commit. SQLAlchemy stays in this room; `sql.open_store` is the way in."""
