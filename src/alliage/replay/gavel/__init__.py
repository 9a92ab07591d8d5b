"""Gavel's setting: training jobs come, share three kinds of device in rounds, and go; one policy against another."""
