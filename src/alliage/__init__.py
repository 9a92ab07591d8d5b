"""Alliage: one AI cloud from whatever chips you have."""

__version__ = "0.1.0"
