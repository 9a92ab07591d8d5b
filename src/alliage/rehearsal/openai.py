"""The OpenAI API of a rehearsed replica, as values: a request -> what will be answered, and the bytes of each piece."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from alliage.errors import BadInput
from alliage.rehearsal.words import (
    Answer,
    blocks_of,
    cut_at_stop,
    natural_tokens,
    pieces,
    said_tokens,
    seed_of,
    tokens_of,
)
from alliage.speed.batching import BLOCK_TOKENS, Ask

TOKENS_MAX: Final = 65_536


class _Options(msgspec.Struct):
    include_usage: bool = False


class Message(msgspec.Struct):
    """One turn; what is no text in it is passed over."""

    role: str
    content: str | list[dict[str, Any]] | None = ""


class Body(msgspec.Struct):
    """What is read of a request; the rest is passed over."""

    messages: list[Message] | None = None
    prompt: str | None = None
    stream: bool = False
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stop: str | list[str] | None = None
    stream_options: _Options | None = None
    n: int | None = 1
    ignore_eos: bool = False
    """Say as many tokens as are allowed, whatever there is to say (as vLLM and llama.cpp understand it)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A request that can be answered: its tokens are known, when they come is the pace's business."""

    ask: Ask
    answer: Answer
    finish: str
    streams: bool
    tells_usage: bool
    is_chat: bool


def read_body(body: bytes) -> Body:
    """A request of chat or text completions; BadInput for one that cannot be read."""
    try:
        return msgspec.json.decode(body, type=Body)
    except msgspec.DecodeError as error:
        raise BadInput(f"the body cannot be read: {error}") from error


def read_request(body: bytes, *, key: str, is_chat: bool, context_tokens: int) -> Wanted:
    """What a body asks; BadInput for one that cannot be answered."""
    return wanted_by(read_body(body), key=key, is_chat=is_chat, context_tokens=context_tokens)


def wanted_by(asked: Body, *, key: str, is_chat: bool, context_tokens: int) -> Wanted:
    """What is asked; BadInput where it cannot be answered."""
    if asked.n not in {None, 1}:
        raise BadInput(f"`n` is {asked.n}: a rehearsed engine gives one answer")
    prompt, before = _prompt(asked, is_chat=is_chat)
    seed = seed_of(prompt)
    limit = asked.max_completion_tokens or asked.max_tokens
    if limit is not None and not 1 <= limit <= TOKENS_MAX:
        raise BadInput(f"`max_tokens` is {limit}: at least 1, at most {TOKENS_MAX}")
    natural = max(1, natural_tokens(seed) - before.count(" "))
    count = natural if limit is None else limit if asked.ignore_eos else min(limit, natural)
    prompt_tokens = tokens_of(prompt) + said_tokens(before)
    if prompt_tokens + count > context_tokens:
        raise BadInput(f"{prompt_tokens} + {count} tokens are more than the {context_tokens} that a request may hold")
    stops = [asked.stop] if isinstance(asked.stop, str) else asked.stop or []
    answer, stopped = Answer(pieces(seed, before), count), False
    if stops:
        cut, stopped = cut_at_stop(answer.between(0, count), stops, before)
        answer = Answer(cut or [""], max(1, len(cut)))
    finish = "stop" if stopped or (count == natural and not asked.ignore_eos) else "length"
    return Wanted(
        ask=Ask(
            id=key,
            prompt_tokens=prompt_tokens,
            output_tokens=len(answer),
            blocks=blocks_of(prompt + before, BLOCK_TOKENS),
        ),
        answer=answer,
        finish=finish,
        streams=asked.stream,
        tells_usage=asked.stream_options is not None and asked.stream_options.include_usage,
        is_chat=is_chat,
    )


def _prompt(asked: Body, *, is_chat: bool) -> tuple[str, str]:
    """The text that is answered, and what of the answer was said before (a last message of the assistant)."""
    if not is_chat:
        if asked.prompt is None:
            raise BadInput("`prompt` is missing")
        return asked.prompt, ""
    if not asked.messages:
        raise BadInput("`messages` is missing or empty")
    said = [(message.role, _text(message)) for message in asked.messages]
    before = said.pop()[1] if said[-1][0] == "assistant" else ""
    return "\n".join(f"{role}: {text}" for role, text in said), before


def _text(message: Message) -> str:
    if message.content is None or isinstance(message.content, str):
        return message.content or ""
    return "".join(str(part.get("text", "")) for part in message.content)


def prompt_tokens(asked: Body) -> int:
    """How long the prompt of a chat is; BadInput where there is none."""
    prompt, before = _prompt(asked, is_chat=True)
    return tokens_of(prompt) + said_tokens(before)


class Writing:
    """The bytes of one answer, piece by piece."""

    def __init__(self, wanted: Wanted, *, model: str) -> None:
        self._wanted = wanted
        created_s, model_json = int(time.time()), json.dumps(model)
        kind, prefix = ("chat.completion", "chatcmpl") if wanted.is_chat else ("text_completion", "cmpl")
        streamed = f"{kind}.chunk" if wanted.is_chat and wanted.streams else kind
        self._head = (
            f'{{"id":"{prefix}-{wanted.ask.id}","object":"{streamed}","created":{created_s},"model":{model_json},'
        )
        self._before, _, self._after = self._event(self._choice(self._delta("|"), None)).rpartition("|")
        self._begun = False

    def streamed(self, tokens: Sequence[str], *, is_last: bool) -> bytes:
        """Events for these tokens."""
        out: list[str] = []
        if not self._begun and self._wanted.is_chat:
            out.append(self._event(self._choice({"role": "assistant", "content": ""}, None)))
        self._begun = True
        out.extend(f"{self._before}{token}{self._after}" for token in tokens)  # nothing in `words` must be escaped
        if is_last:
            last: dict[str, Any] = {} if self._wanted.is_chat else {"text": ""}
            out.append(self._event(self._choice(last, self._wanted.finish)))
            if self._wanted.tells_usage:
                out.append(self._event(f'"choices":[],"usage":{_json(self._usage())}'))
            out.append("data: [DONE]\n\n")
        return "".join(out).encode()

    def whole(self) -> bytes:
        """The answer in one piece."""
        text = self._wanted.answer.text()
        said = {"message": {"role": "assistant", "content": text}} if self._wanted.is_chat else {"text": text}
        choice = _json([{"index": 0, **said, "finish_reason": self._wanted.finish}])
        return f'{self._head}"choices":{choice},"usage":{_json(self._usage())}}}'.encode()

    def _delta(self, token: str) -> dict[str, Any]:
        return {"content": token} if self._wanted.is_chat else {"text": token}

    def _choice(self, said: Mapping[str, Any], finish: str | None) -> str:
        inner = {"delta": said} if self._wanted.is_chat else said
        return f'"choices":{_json([{"index": 0, **inner, "finish_reason": finish}])}'

    def _event(self, rest: str) -> str:
        return f"data: {self._head}{rest}}}\n\n"

    def _usage(self) -> dict[str, int]:
        read, said = self._wanted.ask.prompt_tokens, len(self._wanted.answer)
        return {"prompt_tokens": read, "completion_tokens": said, "total_tokens": read + said}


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
