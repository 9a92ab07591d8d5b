"""Floor 4: usage -> charges, corrections, statements. Pure; money is whole micros of the installation's one currency."""
