"""The composition root: builds each process from its configuration."""
