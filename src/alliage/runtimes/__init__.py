"""Floor 6: start, stop and observe engine processes; detect devices."""
