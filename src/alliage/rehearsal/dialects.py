"""Anthropic's Messages and OpenAI's Responses as a rehearsed replica speaks them: both are read as a chat, and said in their own events."""

import json
import time
from collections.abc import Sequence
from typing import Any, Final, TypeVar

import msgspec

from alliage.errors import BadInput
from alliage.rehearsal.openai import Body, Message, Wanted

_Asked = TypeVar("_Asked")
_STOPPED: Final = {"stop": "end_turn", "length": "max_tokens"}
"""How an answer ended, in Anthropic's words."""


class _Messages(msgspec.Struct):
    messages: list[Message] | None = None
    system: str | list[dict[str, Any]] | None = None
    max_tokens: int | None = None
    stop_sequences: list[str] | None = None
    stream: bool = False
    ignore_eos: bool = False


class _Responses(msgspec.Struct):
    input: str | list[Message] | None = None
    instructions: str | None = None
    max_output_tokens: int | None = None
    stream: bool = False
    ignore_eos: bool = False


def read_messages(body: bytes) -> Body:
    """A request of Anthropic's Messages as a chat; BadInput for one that cannot be read."""
    asked = _decode(body, _Messages)
    system = [Message(role="system", content=asked.system)] if asked.system else []
    return Body(
        messages=[*system, *asked.messages] if asked.messages else None,
        max_tokens=asked.max_tokens,
        stop=asked.stop_sequences,
        stream=asked.stream,
        ignore_eos=asked.ignore_eos,
    )


def read_responses(body: bytes) -> Body:
    """A request of Responses as a chat; BadInput for one that cannot be read."""
    asked = _decode(body, _Responses)
    system = [Message(role="system", content=asked.instructions)] if asked.instructions else []
    said = [Message(role="user", content=asked.input)] if isinstance(asked.input, str) else asked.input
    return Body(
        messages=[*system, *said] if said else None,
        max_tokens=asked.max_output_tokens,
        stream=asked.stream,
        ignore_eos=asked.ignore_eos,
    )


class MessagesWriting:
    """The bytes of one answer of Messages."""

    def __init__(self, wanted: Wanted, *, model: str) -> None:
        self._wanted = wanted
        self._model = model
        self._begun = False

    def streamed(self, tokens: Sequence[str], *, is_last: bool) -> bytes:
        """Events for these tokens."""
        out: list[bytes] = []
        if not self._begun:
            out.append(_event("message_start", message=self._message([], None, said=0)))
            out.append(_event("content_block_start", index=0, content_block={"type": "text", "text": ""}))
        self._begun = True
        out += (_event("content_block_delta", index=0, delta={"type": "text_delta", "text": token}) for token in tokens)
        if is_last:
            delta = {"stop_reason": _STOPPED[self._wanted.finish], "stop_sequence": None}
            out.append(_event("content_block_stop", index=0))
            out.append(_event("message_delta", delta=delta, usage={"output_tokens": len(self._wanted.answer)}))
            out.append(_event("message_stop"))
        return b"".join(out)

    def whole(self) -> bytes:
        """The answer in one piece."""
        wanted = self._wanted
        content = [{"type": "text", "text": wanted.answer.text()}]
        return _json(self._message(content, _STOPPED[wanted.finish], said=len(wanted.answer)))

    def _message(self, content: list[dict[str, str]], stopped: str | None, *, said: int) -> dict[str, Any]:
        usage = {"input_tokens": self._wanted.ask.prompt_tokens, "output_tokens": said}
        message = {"id": f"msg_{self._wanted.ask.id}", "type": "message", "role": "assistant", "content": content}
        return {**message, "model": self._model, "stop_reason": stopped, "stop_sequence": None, "usage": usage}


class ResponsesWriting:
    """The bytes of one answer of Responses."""

    def __init__(self, wanted: Wanted, *, model: str) -> None:
        self._wanted = wanted
        self._model = model
        self._created_s = int(time.time())
        self._number = 0
        self._at = {"item_id": f"msg_{wanted.ask.id}", "output_index": 0, "content_index": 0}

    def streamed(self, tokens: Sequence[str], *, is_last: bool) -> bytes:
        """Events for these tokens."""
        out: list[bytes] = []
        if not self._number:
            out.append(self._event("response.created", response=self._response("in_progress", [])))
            out.append(self._event("response.output_item.added", output_index=0, item=self._item("in_progress", [])))
            out.append(self._event("response.content_part.added", **self._at, part=_part("")))
        out += (self._event("response.output_text.delta", **self._at, delta=token, logprobs=[]) for token in tokens)
        if is_last:
            text = self._wanted.answer.text()
            item = self._item("completed", [_part(text)])
            out.append(self._event("response.output_text.done", **self._at, text=text, logprobs=[]))
            out.append(self._event("response.content_part.done", **self._at, part=_part(text)))
            out.append(self._event("response.output_item.done", output_index=0, item=item))
            out.append(self._event("response.completed", response=self._response("completed", [item])))
        return b"".join(out)

    def whole(self) -> bytes:
        """The answer in one piece."""
        return _json(self._response("completed", [self._item("completed", [_part(self._wanted.answer.text())])]))

    def _event(self, kind: str, **more: object) -> bytes:
        self._number += 1
        return _event(kind, sequence_number=self._number - 1, **more)

    def _item(self, status: str, content: list[dict[str, Any]]) -> dict[str, Any]:
        named = {"id": self._at["item_id"], "type": "message", "role": "assistant"}
        return {**named, "status": status, "content": content}

    def _response(self, status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
        read, said = self._wanted.ask.prompt_tokens, len(self._wanted.answer)
        response = {"id": f"resp_{self._wanted.ask.id}", "object": "response", "created_at": self._created_s}
        usage = {"input_tokens": read, "output_tokens": said, "total_tokens": read + said}
        counted = {**usage, "input_tokens_details": {"cached_tokens": 0}} if output else None
        return {**response, "status": status, "model": self._model, "output": output, "usage": counted}


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": []}


def _event(kind: str, **more: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), _json({"type": kind, **more}))


def _decode(body: bytes, kind: type[_Asked]) -> _Asked:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise BadInput(f"the body cannot be read: {error}") from error


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
