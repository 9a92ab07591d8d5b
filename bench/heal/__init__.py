"""A node with eight busy replicas dies under load, live."""
