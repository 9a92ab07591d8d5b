"""Baselines: rivals from the literature, written from their papers' formulas for comparison. Used by nothing else."""
