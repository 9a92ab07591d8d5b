"""sharing: training jobs and devices by kind -> who runs where this round, and at what price. Pure; called each round."""
