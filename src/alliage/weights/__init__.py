"""Floor 6: fetch and read model files."""
