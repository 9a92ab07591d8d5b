"""The plan as a mathematical programme: problem in, answer out. Pure; only `highs.py` touches the solver."""
