"""Request bodies: the few fields that the gateway reads, and the one that it may add. Everything else passes unread."""

import re
from typing import Final

import msgspec

from alliage.gateway.counts import NOTHING, TOKENS_MAX, Counts, counts_of, sane
from alliage.gateway.decoded import Ask, PlainAnswer, Usage
from alliage.gateway.problems import Problem, bad_body
from alliage.gateway.utf8 import is_utf8
from alliage.units import KIB

_decode: Final = msgspec.json.Decoder(Ask).decode
_decode_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_options: Final = msgspec.json.Decoder(dict[str, msgspec.Raw] | None).decode
_encode: Final = msgspec.json.Encoder().encode
_TRUE: Final = msgspec.Raw(b"true")


def read_ask(body: bytes) -> Ask | Problem:
    """The fields of a request body, or what is wrong with it and where."""
    try:
        ask = _decode(body)
    except UnicodeDecodeError as error:
        return bad_body(f"it is not UTF-8 at byte {_bad_byte(body, error.start)}")
    except msgspec.MsgspecError as error:
        return bad_body("it is empty, a JSON object is needed" if not body.strip() else str(error))
    except RecursionError:
        return bad_body("its JSON is nested too deeply")
    if not body.isascii() and not is_utf8(body):  # members that are skipped are not checked by the decoder
        return bad_body(f"it is not UTF-8 at byte {_bad_byte(body, 0)}")
    return ask


def _bad_byte(body: bytes, told: int) -> int:
    """Where the first bad byte is in the body; the decoder's own place, `told`, counts from the start of one text."""
    try:
        body.decode()
    except UnicodeDecodeError as whole:
        return whole.start
    return told


def output_max(ask: Ask) -> int | None:
    """Tokens that its answer may have; None for no bound. What is no number bounds nothing: its engine says what it thinks of it."""
    given = ask.max_tokens if ask.max_completion_tokens is None else ask.max_completion_tokens
    return given if isinstance(given, int) and given >= 0 else None


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


USAGE_BYTES_MAX: Final = 4 * KIB
"""A longer usage object is not found."""
_USAGE: Final = re.compile(rb'"usage"\s*:\s*\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}')
_decode_plain: Final = msgspec.json.Decoder(PlainAnswer).decode
_decode_usage: Final = msgspec.json.Decoder(Usage).decode


def read_usage(answer: bytes) -> Counts:
    """The tokens of a whole JSON answer; zeros where it tells none."""
    try:
        tokens = _decode_plain(answer).usage
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _read_odd_usage(answer)
    if tokens is None:
        return NOTHING
    prompt = tokens.prompt_tokens
    if prompt is None or not 0 <= prompt <= TOKENS_MAX:
        return _read_odd_usage(answer)
    details = tokens.prompt_tokens_details
    cached = 0 if details is None else details.cached_tokens or 0
    return prompt, sane(tokens.completion_tokens or 0), min(max(cached, 0), prompt)


def _read_odd_usage(answer: bytes) -> Counts:
    """The same of an answer that has something else where numbers should be, or is another API's."""
    try:
        usage = _decode_usage(answer).usage
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return NOTHING
    return NOTHING if usage is None else counts_of(usage)


def find_usage(text: bytes) -> Counts | None:
    """The tokens of the last `"usage": {...}` in a piece of a JSON answer; None where no whole one is in it.

    Inside a JSON string the quotes would be escaped, so a text that speaks of usage is not taken for it.
    """
    at = text.rfind(b'"usage"')
    found = _USAGE.match(text, at, at + USAGE_BYTES_MAX) if at >= 0 else None
    return None if found is None else read_usage(b"{%b}" % found[0])
