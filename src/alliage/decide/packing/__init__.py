"""packing: one request -> a node and its devices, so that what stays idle stays usable. Pure; bind's inner loop."""
