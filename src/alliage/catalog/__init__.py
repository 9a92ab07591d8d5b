"""Floor 1: facts as TOML (chips, stacks, engines, models) and the loader to frozen records."""
