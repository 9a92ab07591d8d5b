"""rehearsal: engines that only keep time, and agents of nodes that nobody owns yet. Always labelled as such."""
