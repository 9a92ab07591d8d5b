"""Request bodies: the few fields that the gateway reads, and the one that it may add. Everything else passes unread."""

import re
from typing import Final, Literal

import msgspec

from alliage.gateway.problems import Problem, bad_body
from alliage.units import KIB


class StreamOptions(msgspec.Struct, gc=False):
    """What a client may ask of a stream; other members are left alone."""

    include_usage: bool | None = None


class Ask(msgspec.Struct, gc=False):
    """A request as far as routing needs it. Of doubled members the last counts, as in the engines."""

    model: str
    stream: bool | None = None
    stream_options: StreamOptions | msgspec.UnsetType | None = msgspec.UNSET

    @property
    def wants_usage(self) -> bool:
        """Whether the client itself asked for the usage event."""
        return isinstance(self.stream_options, StreamOptions) and self.stream_options.include_usage is True


_decode: Final = msgspec.json.Decoder(Ask).decode
_decode_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_options: Final = msgspec.json.Decoder(dict[str, msgspec.Raw] | None).decode
_encode: Final = msgspec.json.Encoder().encode
_TRUE: Final = msgspec.Raw(b"true")


def read_ask(body: bytes) -> Ask | Problem:
    """The fields of a request body, or what is wrong with it and where."""
    try:
        ask = _decode(body)
        if not body.isascii():
            body.decode()  # members that are skipped are not checked by the decoder
    except UnicodeDecodeError as error:
        return bad_body(f"it is not UTF-8 at byte {_bad_byte(body, error)}")
    except msgspec.MsgspecError as error:
        return bad_body("it is empty, a JSON object is needed" if not body.strip() else str(error))
    except RecursionError:
        return bad_body("its JSON is nested too deeply")
    return ask


def _bad_byte(body: bytes, error: UnicodeDecodeError) -> int:
    """Where the first bad byte is in the body; the decoder's own place counts from the start of one text."""
    try:
        body.decode()
    except UnicodeDecodeError as whole:
        return whole.start
    return error.start


def with_usage(body: bytes, ask: Ask) -> bytes:
    """The same request with `stream_options.include_usage` true; `body` is one that `read_ask` took.

    Without stream options they are put in behind the opening brace and no other byte changes. With them the object is
    written anew from its members, each as it was, so that no reader sees two of the same name.
    """
    if ask.stream_options is msgspec.UNSET:
        inside = body.index(b"{") + 1
        return b'%b"stream_options":{"include_usage":true},%b' % (body[:inside], body[inside:])
    members = _decode_members(body)
    options = _decode_options(members["stream_options"]) or {}
    options["include_usage"] = _TRUE
    members["stream_options"] = msgspec.Raw(_encode(options))
    return _encode(members)


class _Usage(msgspec.Struct, gc=False):
    usage: dict[str, msgspec.Raw] | None = None


USAGE_BYTES_MAX: Final = 4 * KIB
"""A longer usage object is not found."""
_USAGE: Final = re.compile(rb'"usage"\s*:\s*\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}')
_decode_usage: Final = msgspec.json.Decoder(_Usage).decode


def read_usage(answer: bytes) -> tuple[int, int]:
    """Prompt and completion tokens of a whole JSON answer; zeros where it tells none."""
    try:
        usage = _decode_usage(answer).usage
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return (0, 0)
    return (0, 0) if usage is None else (count(usage, "prompt_tokens"), count(usage, "completion_tokens"))


def find_usage(text: bytes) -> tuple[int, int] | None:
    """The tokens of the last `"usage": {...}` in a piece of a JSON answer; None where no whole one is in it.

    Inside a JSON string the quotes would be escaped, so a text that speaks of usage is not taken for it.
    """
    at = text.rfind(b'"usage"')
    found = _USAGE.match(text, at, at + USAGE_BYTES_MAX) if at >= 0 else None
    return None if found is None else read_usage(b"{%b}" % found[0])


_CACHED: Final = b'"cached_tokens"'


class _Details(msgspec.Struct, gc=False):
    cached_tokens: int | None = None


_decode_details: Final = msgspec.json.Decoder(_Details | None).decode


def count_cached(usage: dict[str, msgspec.Raw]) -> int:
    """`prompt_tokens_details.cached_tokens` of a usage object; 0 where it is missing or no plain number."""
    details = usage.get("prompt_tokens_details")
    if details is None:
        return 0
    try:
        told = _decode_details(details)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return 0
    return 0 if told is None or told.cached_tokens is None else max(0, told.cached_tokens)


def read_cached(answer: bytes) -> int:
    """Of the prompt's tokens, those that the engine held already, as a whole JSON answer tells; 0 where it does not."""
    if _CACHED not in answer:
        return 0
    try:
        usage = _decode_usage(answer).usage
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return 0
    return 0 if usage is None else count_cached(usage)


def count(usage: dict[str, msgspec.Raw], field: Literal["prompt_tokens", "completion_tokens"]) -> int:
    """A count out of a usage object; 0 where it is missing or no plain number."""
    text = bytes(usage.get(field, b""))
    return int(text) if text.isdigit() else 0
