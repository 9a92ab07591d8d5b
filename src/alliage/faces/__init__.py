"""Floor 8: CLI and admin HTTP: parse, call, print; no decisions."""
