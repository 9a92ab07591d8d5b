"""Floor 4: replica -> launch spec, one file an engine. Pure: nothing is started here."""
