"""Floor 7: virtual clock, seeded, traces of others: runs the real decisions, beside published rivals."""
