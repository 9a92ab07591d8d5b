"""Streams of events: the usage event goes, every other byte stays, however the stream is cut."""

import json
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alliage.gateway.sse import HELD_BYTES_MAX, UsageTap
from tests.gateway.upstream import DONE, event, usage_event

_TEXT = st.text(max_size=12) | st.sampled_from(['"usage"', '"choices":[]', "\n\ndata: ", "usage", "\r\n\r\n"])
_END = st.sampled_from([b"\n\n", b"\r\n\r\n", b"\n\r\n", b"\n\n\n"])


def _spell(body: dict[str, object], end: bytes, *, spaced: bool) -> bytes:
    separators = (", ", ": ") if spaced else (",", ":")
    return b"data:" + b" " * spaced + json.dumps(body, separators=separators).encode() + end


@st.composite
def _events(draw: st.DrawFn) -> tuple[bytes, bool]:
    """One event, and whether it is the usage-only one."""
    usage = {"prompt_tokens": draw(st.integers(0, 99)), "completion_tokens": draw(st.integers(0, 99))}
    choices = [{"index": 0, "delta": {"content": draw(_TEXT)}}]
    end, spaced = draw(_END), draw(st.booleans())
    kind = draw(st.sampled_from(["token", "usage", "both", "null", "filter", "done", "comment"]))
    bodies: dict[str, dict[str, object]] = {
        "token": {"choices": choices},
        "usage": {"choices": [], "usage": usage},
        "both": {"choices": choices, "usage": usage},
        "null": {"choices": choices, "usage": None},
        "filter": {"choices": [], "prompt_filter_results": ["usage"]},
    }
    if kind == "done":
        return b"data: [DONE]" + end, False
    if kind == "comment":
        return b": usage ping" + end, False
    return _spell(bodies[kind], end, spaced=spaced), kind == "usage"


def _cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})
    return [stream[start:end] for start, end in pairwise(edges)]


@settings(deadline=None)
@given(
    events=st.lists(_events(), max_size=6),
    places=st.lists(st.integers(0, 2000), max_size=12),
    remove=st.booleans(),
)
@example(events=[(usage_event(), True), (DONE, False)], places=list(range(200)), remove=True)
def test_only_the_usage_event_goes(events: list[tuple[bytes, bool]], places: list[int], *, remove: bool) -> None:
    """Any stream, cut anywhere: what passes is the stream without its usage-only events, or all of it when asked for."""
    tap = UsageTap(remove=remove)
    stream = b"".join(one for one, _ in events)
    got = b"".join(tap.feed(piece) for piece in _cut(stream, places)) + tap.finish()
    kept = b"".join(_left_of(one) if is_usage and remove else one for one, is_usage in events)
    assert got == kept


def _left_of(usage: bytes) -> bytes:
    """What stays of a removed event: a line end beyond its blank line is not part of it."""
    return b"\n" if usage.endswith(b"\n\n\n") else b""


def test_tokens_are_noted() -> None:
    """The counts of the usage event are known after it passed, whether it was taken out or not."""
    for remove in (True, False):
        tap = UsageTap(remove=remove)
        tap.feed(event("a"))
        tap.feed(usage_event(11, 22)[:30])
        tap.feed(usage_event(11, 22)[30:])
        assert tap.counts == (11, 22, 0)


def test_whole_events_pass_at_once() -> None:
    """An event that came whole is not held back, and neither is a second one with it."""
    tap = UsageTap(remove=True)
    assert tap.feed(event("a")) == event("a")
    assert tap.feed(event("b") + event("c")[:5]) == event("b")
    assert tap.feed(event("c")[5:]) == event("c")


@pytest.mark.parametrize("step", [1, 2, 3, 997, HELD_BYTES_MAX + 5])
def test_a_long_event_passes_without_being_kept(step: int) -> None:
    """An event above the limit passes as it comes, byte for byte, and the usage event after it still goes."""
    long = event("x" * (HELD_BYTES_MAX + 400))
    head = long[: HELD_BYTES_MAX + 1]
    tap = UsageTap(remove=True)
    passed = tap.feed(head)
    assert tap.inside
    stream = long[len(head) :] + usage_event() + event("y")
    for start in range(0, len(stream), step):
        passed += tap.feed(stream[start : start + step])
    assert passed + tap.finish() == long + event("y")
    assert not tap.inside


def test_an_unfinished_event_is_not_lost() -> None:
    """What an engine sends without its blank line passes at the end of the stream."""
    tap = UsageTap(remove=True)
    assert tap.feed(b"data: tail") == b""
    assert tap.finish() == b"data: tail"
