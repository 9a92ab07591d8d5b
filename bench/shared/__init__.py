"""Number 3: ten models on one fleet against a pool for each."""
