"""Routing of LLM requests against its rivals, in replay."""
