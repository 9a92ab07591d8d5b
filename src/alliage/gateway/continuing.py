"""An answer that one replica began and another goes on with: what was said, what to ask, and one stream of the two. Pure.

Nothing here runs before a replica dies: until then a stream's bytes are only kept (`passing`). The continuation keeps
the first `id`, `created` and `model`, opens no second turn, and says no letter twice. Blanks at the end of what was said are
not given to the second engine; one that says them again spends a token on it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from alliage.engines.continuing import CONTINUES
from alliage.gateway.counts import sane
from alliage.units import KIB, MIB

KEPT_BYTES_MAX: Final = MIB
"""Of an answer; one that grew longer is not continued."""
BODY_BYTES_MAX: Final = 64 * KIB
"""Of a request; a longer one is not kept after its answer has begun."""
_END: Final = re.compile(rb"\r?\n\r?\n")
_LIMITS: Final = ("max_completion_tokens", "max_tokens")
_UNCONTINUED: Final = ("tools", "functions", "logprobs", "top_logprobs", "grammar", "json_schema", "structured_outputs")
_decode: Final = msgspec.json.decode
_encode: Final = msgspec.json.encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the client has of an answer: its first event's names, the text, how many events brought some, how it finished."""

    id: Any
    created: Any
    model: Any
    text: str
    tokens: int
    finish: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuation:
    """What is to be asked of another replica. `finish` is set where nothing more is: the stream only has to be ended."""

    said: Said
    asked: Mapping[str, Any]
    stops: tuple[str, ...]
    finish: str | None

    def body_for(self, engine: str) -> bytes | None:
        """The request for an engine; None for one that cannot go on with what it did not begin."""
        extra = CONTINUES.get(engine)
        return None if extra is None else _encode({**self.asked, **extra})


def continuation_of(body: bytes, passed: bytes) -> Continuation | None:
    """How to go on after `passed` (whole events) of the answer to a chat request; None where that cannot be done."""
    try:
        asked, said = _decode(body), read_said(passed)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if said is None or not _can_be_continued(asked):
        return None
    left: dict[str, int] = {}
    for name in _LIMITS:
        if isinstance(limit := asked.get(name), int):
            left[name] = limit - said.tokens
    finish = said.finish or ("length" if left and min(left.values()) <= 0 else None)
    messages = list(asked["messages"])
    begun = ""
    if messages[-1].get("role") == "assistant":  # the client's own beginning
        begun = messages.pop()["content"]
    message = {"role": "assistant", "content": (begun + said.text).rstrip()}
    if message["content"]:
        messages.append(message)
    stop = asked.get("stop")
    stops = (stop,) if isinstance(stop, str) else tuple(each for each in stop or () if isinstance(each, str))
    options = {**(asked.get("stream_options") or {}), "include_usage": True}
    again = {**asked, **left, "messages": messages, "stream": True, "stream_options": options}
    return Continuation(said=said, asked=again, stops=stops, finish=finish)


def read_said(passed: bytes) -> Said | None:
    """What whole events of a chat stream say; None for what is no plain text of one answer, or no event at all."""
    first: dict[str, Any] | None = None
    text, tokens, finish = [], 0, None
    for event in _events(passed):
        if event is None:
            continue
        first = first or event
        for choice in event.get("choices") or ():
            delta = choice.get("delta") or {}
            if choice.get("index", 0) != 0 or any(delta.get(name) for name in delta if name not in {"role", "content"}):
                return None
            if delta.get("content"):
                text.append(delta["content"])
                tokens += 1
            finish = choice.get("finish_reason") or finish
    if first is None:
        return None
    named = {name: first.get(name) for name in ("id", "created", "model")}
    return Said(**named, text="".join(text), tokens=tokens, finish=finish)


class Joining:
    """The second stream as the client gets it; `prompt_tokens` and `completion_tokens` are those of the whole answer."""

    __slots__ = ("_blanks", "_held", "_is_over", "_new", "_says_usage", "_what", "completion_tokens", "prompt_tokens")

    def __init__(self, what: Continuation, *, says_usage: bool) -> None:
        self._what = what
        self._says_usage = says_usage
        self._held = b""
        self._blanks = what.said.text[len(what.said.text.rstrip()) :]
        self._new = ""
        self._is_over = False
        self.prompt_tokens = 0
        self.completion_tokens = what.said.tokens

    @property
    def is_over(self) -> bool:
        """Whether a stop string ended it: what the engine still says is not wanted."""
        return self._is_over

    def feed(self, piece: bytes) -> bytes:
        """What may go to the client after this piece."""
        data = self._held + piece
        out: list[bytes] = []
        start = 0
        for end in _END.finditer(data):
            if not self._is_over:
                out.append(self._joined(data[start : end.end()]))
            start = end.end()
        self._held = data[start:]
        return b"".join(out)

    def ending(self, finish: str) -> bytes:
        """The events that end the stream where no engine has to say more."""
        self._is_over = True
        out = self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
        if self._says_usage:
            out += self._event({"choices": [], "usage": self._usage()})
        return out + b"data: [DONE]\n\n"

    def _joined(self, raw: bytes) -> bytes:
        """One event of the second stream, as the first would have said it."""
        events = list(_events(raw))
        if not events:
            return b""
        event = events[0]
        if event is None:
            return raw.lstrip(b"\r\n")
        if (usage := event.get("usage")) is not None:
            self._note(usage)
            if event.get("choices") == []:
                return self._event({**event, "usage": self._usage()}) if self._says_usage else b""
            event["usage"] = self._usage()
        for choice in event.get("choices") or ():
            delta = choice.get("delta") or {}
            delta.pop("role", None)
            if isinstance(text := delta.get("content"), str):
                delta["content"] = self._without_blanks(text)
                if self._stops(delta["content"]):
                    return self.ending("stop")
            choice["delta"] = delta
            if not delta.get("content") and choice.get("finish_reason") is None:
                return b""
        return self._event(event)

    def _without_blanks(self, text: str) -> str:
        """Blanks that the client has already, because the first stream ended with them, are not said again."""
        while self._blanks and text.startswith(self._blanks[0]):
            text, self._blanks = text[1:], self._blanks[1:]
        if text:
            self._blanks = ""
        return text

    def _stops(self, text: str) -> bool:
        """Whether a stop string that began before the seam is whole with this text."""
        longest = max(map(len, self._what.stops), default=0)
        if len(self._new) >= longest:
            return False
        self._new += text
        before = self._what.said.text[-longest:] if longest else ""
        seam = before + self._new
        return any(0 <= seam.find(stop) < len(before) for stop in self._what.stops if stop)

    def _note(self, usage: Mapping[str, Any]) -> None:
        """The prompt is billed once: the second engine read what was said before as a part of it."""
        said = self._what.said.tokens
        prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
        self.prompt_tokens = max(0, sane(prompt) - said) if isinstance(prompt, int) else 0
        self.completion_tokens = said + sane(completion) if isinstance(completion, int) else said

    def _usage(self) -> dict[str, int]:
        prompt, completion = self.prompt_tokens, self.completion_tokens
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}

    def _event(self, event: Mapping[str, Any]) -> bytes:
        said = self._what.said
        named = {"id": said.id, "created": said.created, "model": said.model}
        return b"data: %b\n\n" % _encode({"object": "chat.completion.chunk", **event, **named})


def _events(data: bytes) -> list[dict[str, Any] | None]:
    """The JSON of each whole event, None for `[DONE]`; comments and other events without data are passed over."""
    found: list[dict[str, Any] | None] = []
    for raw in _END.split(data):
        text = b"\n".join(line[5:].strip() for line in raw.splitlines() if line.startswith(b"data:"))
        if text:
            found.append(None if text == b"[DONE]" else _decode(text, type=dict[str, Any]))
    return found


def _can_be_continued(asked: Any) -> bool:
    """Whether a request is one plain text: what else there is ends with an error, as it did."""
    if not isinstance(asked, dict) or asked.get("n") not in {None, 1} or any(asked.get(name) for name in _UNCONTINUED):
        return False
    if any(name.startswith("guided_") for name in asked):
        return False
    form = asked.get("response_format")
    if form is not None and (not isinstance(form, dict) or form.get("type") != "text"):
        return False
    messages = asked.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(each, dict) for each in messages):
        return False
    return messages[-1].get("role") != "assistant" or isinstance(messages[-1].get("content"), str)
