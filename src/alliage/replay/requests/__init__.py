"""Replay of traces of LLM requests: reading, replicas by the real decisions, a virtual clock over their batching, results."""
