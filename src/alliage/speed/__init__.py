"""Floor 3: how fast a chip runs a model. Pure: facts and coefficients in, seconds and tokens a second out."""
