"""Live points of numbers 1 and 2: a slice of a trace through a whole rehearsed cloud, beside the same slice in replay."""
