"""price: what a device-hour is worth, in micros (millionths of the installation's currency): listed, and under scarcity."""
