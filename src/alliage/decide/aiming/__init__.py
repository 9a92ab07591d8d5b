"""aiming: a picture of the fleet -> the plan's programme -> what is to run, by service, kind of node and recipe."""
