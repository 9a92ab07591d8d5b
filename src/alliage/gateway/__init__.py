"""Floor 6: the OpenAI door: authenticate, admit, route, stream."""
