"""Floor 5: diff(desired, observed) -> actions, the loop, and the Protocols it needs."""
