"""The line between control, gateway and agent: messages and their framing. Gateway and agent dial, control listens."""
