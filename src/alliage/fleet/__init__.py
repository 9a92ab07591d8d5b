"""Floor 2: the nouns, their lifecycle tables, and FleetView."""
