"""Floor 2: model facts -> bytes. Takes bytes and JSON; reading files is for `weights`."""
