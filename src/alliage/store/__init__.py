"""Floor 6: SQL snapshot and commit."""
