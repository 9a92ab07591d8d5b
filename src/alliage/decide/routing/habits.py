"""What the requests of one service are like, as they were seen: means that follow slowly. No clock, no I/O."""

from typing import Final

OUTPUT_TOKENS: Final = 256.0
PROMPT_TOKENS: Final = 1024.0
"""Until something was seen: as the plan reckons."""
BYTES_PER_TOKEN: Final = 4.0
_BYTES_PER_TOKEN_MIN: Final = 0.5
_BYTES_PER_TOKEN_MAX: Final = 32.0
_WEIGHT_MIN: Final = 0.01
"""Of the newest request, once many were seen."""
_MOVED: Final = 0.1
_DOUBTED: Final = 8.0
"""So many answers' worth of doubt in what was seen of prompts of one size: until then all of the service's count."""
_SIZES: Final = 24
"""Prompts of one size differ by less than a factor of two."""
_COUNTED_MAX: Final = 100.0
"""As much the newest counts there."""
_STREAMS_LEAST: Final = 4
_STREAM_TOKENS_LEAST: Final = 32
_PIECES_MORE: Final = 3
"""Events of a stream that bring no token: the role or the reason to stop, usage, the last one."""


class _Size:
    """Answers that were seen to prompts of one size, and the mean of their tokens."""

    __slots__ = ("mean", "seen")

    def __init__(self) -> None:
        self.seen = self.mean = 0.0


class Habits:
    """Means of a service: tokens of an answer, also by the prompt's size, and of one event of it; tokens read of a prompt; bytes a token.

    `stamp` moves when a mean has moved by so much that what was reckoned from it is to be reckoned again.
    """

    __slots__ = ("_counts", "_output_tokens", "_outputs", "_piece_tokens", "_read_tokens", "_reads", "_sizes", "_streams", "bytes_per_token", "output_tokens", "read_tokens", "stamp")  # fmt: skip

    def __init__(self) -> None:
        self._outputs = self._reads = self._counts = 1
        self._output_tokens = self.output_tokens = OUTPUT_TOKENS
        self._read_tokens = self.read_tokens = PROMPT_TOKENS
        self.bytes_per_token = BYTES_PER_TOKEN
        self.stamp = 0
        self._sizes = [_Size() for _ in range(_SIZES)]
        """By how often the prompt's tokens can be halved."""
        self._streams = 0
        self._piece_tokens = 1.0

    def expected(self, prompt_tokens: int) -> float:
        """Tokens of the answer to such a prompt."""
        size, all_tokens = self._size(prompt_tokens), self._output_tokens
        return all_tokens + size.seen / (size.seen + _DOUBTED) * (size.mean - all_tokens)

    def answered(self, output_tokens: int, prompt_tokens: int) -> None:
        """An answer was so long."""
        size = self._size(prompt_tokens)
        size.seen = seen = min(_COUNTED_MAX, size.seen + 1.0)
        size.mean += (output_tokens - size.mean) / seen
        self._outputs += 1
        self._output_tokens += max(_WEIGHT_MIN, 1 / self._outputs) * (output_tokens - self._output_tokens)
        if abs(self._output_tokens - self.output_tokens) > _MOVED * self.output_tokens:
            self.output_tokens = max(1.0, self._output_tokens)
            self.stamp += 1

    def _size(self, prompt_tokens: int) -> _Size:
        index = 0  # `bit_length` is a call into Python's ints, and this is asked several times a request
        while prompt_tokens and index < _SIZES - 1:
            prompt_tokens >>= 1
            index += 1
        return self._sizes[index]

    @property
    def piece_tokens(self) -> float | None:
        """Tokens of one event of a stream, in the mean; None until `_STREAMS_LEAST` have ended."""
        return self._piece_tokens if self._streams >= _STREAMS_LEAST else None

    def streamed(self, output_tokens: int, pieces: int) -> None:
        """A stream of so many tokens came in so many events. Short ones are mostly beginning and end."""
        if pieces > _PIECES_MORE and output_tokens >= _STREAM_TOKENS_LEAST:
            self._streams += 1
            seen = output_tokens / (pieces - _PIECES_MORE)
            self._piece_tokens += max(_WEIGHT_MIN, 1 / self._streams) * (seen - self._piece_tokens)

    def asked(self, read_tokens: float) -> None:
        """So much of a prompt had to be read."""
        self._reads += 1
        self._read_tokens += max(_WEIGHT_MIN, 1 / self._reads) * (read_tokens - self._read_tokens)
        if abs(self._read_tokens - self.read_tokens) > _MOVED * self.read_tokens:
            self.read_tokens = max(1.0, self._read_tokens)
            self.stamp += 1

    def counted(self, body_bytes: int, prompt_tokens: int) -> None:
        """A body of so many bytes had so many tokens, as its engine told."""
        seen = min(_BYTES_PER_TOKEN_MAX, max(_BYTES_PER_TOKEN_MIN, body_bytes / prompt_tokens))
        self._counts += 1
        self.bytes_per_token += max(_WEIGHT_MIN, 1 / self._counts) * (seen - self.bytes_per_token)
