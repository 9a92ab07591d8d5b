"""moves: who would have to move or make way for a request that fits nowhere, and what that gains. Proposals, as values."""
