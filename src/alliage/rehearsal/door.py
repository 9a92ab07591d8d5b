"""The listening side of a rehearsed replica: HTTP/1.1 by httptools, one protocol a connection, one request at a time."""

import asyncio
import hmac
import itertools
import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

import httptools

from alliage.catalog.records import ApiPath
from alliage.engines.serving import REHEARSED_PATHS
from alliage.errors import BadInput
from alliage.fleet.routing import REHEARSAL_HEADER
from alliage.rehearsal.dialects import MessagesWriting, ResponsesWriting, read_messages, read_responses
from alliage.rehearsal.openai import Body, Wanted, Writing, prompt_tokens, read_body, wanted_by
from alliage.rehearsal.replica import Rehearsed, Stream

BODY_BYTES_MAX: Final = 32 * 1024 * 1024
LABEL: Final = f"{REHEARSAL_HEADER}: true\r\n".encode()
_READ: Final[Mapping[str, Callable[[bytes], Body]]] = {
    ApiPath.CHAT: read_body,
    ApiPath.COMPLETIONS: read_body,
    ApiPath.RESPONSES: read_responses,
    ApiPath.MESSAGES: read_messages,
    ApiPath.COUNT_TOKENS: read_messages,
}
_WRITING: Final[Mapping[str, type[MessagesWriting | ResponsesWriting]]] = {
    ApiPath.RESPONSES: ResponsesWriting,
    ApiPath.MESSAGES: MessagesWriting,
}
_numbers = itertools.count(1)


class Door(asyncio.Protocol):
    """One connection to one replica."""

    def __init__(self, replica: Rehearsed) -> None:
        self._replica = replica
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._key = b""
        self._body = bytearray()
        self._stream: Stream | None = None
        self._writing: Writing | MessagesWriting | ResponsesWriting | None = None
        self._wanted: Wanted | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody is there."""
        self._transport = transport
        self._replica.cut.add(transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Whoever asked went away: what they asked for is forgotten."""
        if self._transport is not None:
            self._replica.cut.discard(self._transport.abort)
        if self._stream is not None:
            self._replica.drop(self._stream)

    def data_received(self, data: bytes) -> None:
        """Bytes of a request."""
        if self._replica.hangs:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._refuse(HTTPStatus.BAD_REQUEST, "this is no HTTP request")
            self._close()

    # What httptools calls, by its names.
    def on_message_begin(self) -> None:
        """A request begins."""
        self._url, self._key, self._body = b"", b"", bytearray()

    def on_url(self, url: bytes) -> None:
        """Its path."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        if name.lower() == b"authorization":
            self._key = value.removeprefix(b"Bearer ")

    def on_body(self, body: bytes) -> None:
        """A piece of its body."""
        self._body += body
        if len(self._body) > BODY_BYTES_MAX:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body has at most {BODY_BYTES_MAX} bytes")
            self._close()

    def on_message_complete(self) -> None:
        """It is whole: answer."""
        path = self._url.partition(b"?")[0]
        if path == b"/health":
            ready = self._replica.is_ready
            self._answer(
                HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE, b'{"status":"ok"}' if ready else b"{}"
            )
        elif not hmac.compare_digest(self._key, self._replica.order.key.encode()):
            self._refuse(HTTPStatus.UNAUTHORIZED, "this key is not the replica's")
        elif path == b"/v1/models":
            name, created_s = self._replica.order.model, self._replica.created_s
            entry = {"id": name, "object": "model", "created": created_s, "owned_by": "rehearsal"}
            self._answer(HTTPStatus.OK, json.dumps({"object": "list", "data": [entry]}).encode())
        elif path.decode("latin-1") in REHEARSED_PATHS and self._parser.get_method() == b"POST":
            self._begin(path.decode())
        else:
            self._refuse(HTTPStatus.NOT_FOUND, f"there is no {path.decode(errors='replace')}")

    def says(self, tokens: list[str], *, is_last: bool) -> None:
        """Tokens that are due."""
        if self._transport is None or self._wanted is None or self._writing is None:
            return
        if self._wanted.streams:
            body = self._writing.streamed(tokens, is_last=is_last)
            self._transport.write(b"%x\r\n%b\r\n" % (len(body), body) + (b"0\r\n\r\n" if is_last else b""))
        elif is_last:
            self._answer(HTTPStatus.OK, self._writing.whole())
        if is_last:
            self._stream = None

    def _begin(self, path: str) -> None:
        replica = self._replica
        if not replica.is_ready:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "the model is being loaded")
            return
        try:
            asked = _READ[path](bytes(self._body))
            if path == ApiPath.COUNT_TOKENS:
                self._answer(HTTPStatus.OK, json.dumps({"input_tokens": prompt_tokens(asked)}).encode())
                return
            wanted = wanted_by(
                asked,
                key=f"rehearsal{next(_numbers)}",
                is_chat=path != ApiPath.COMPLETIONS,
                context_tokens=replica.order.context_tokens,
            )
            stream = Stream(wanted.ask, wanted.answer, self)
            replica.take(stream)
        except BadInput as error:
            self._refuse(HTTPStatus.BAD_REQUEST, error.message)
            return
        except ValueError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
            return
        self._stream, self._wanted = stream, wanted
        self._writing = _WRITING.get(path, Writing)(wanted, model=replica.order.model)
        if wanted.streams and self._transport is not None:
            head = b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
            self._transport.write(b"HTTP/1.1 200 OK\r\n%b%b\r\n" % (head, LABEL))

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        kind = "invalid_request_error" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "server_error"
        self._answer(status, json.dumps({"error": {"message": why, "type": kind, "code": status.value}}).encode())

    def _answer(self, status: HTTPStatus, body: bytes) -> None:
        if self._transport is not None:
            line = b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode())
            head = b"Content-Type: application/json\r\nContent-Length: %d\r\n%b\r\n" % (len(body), LABEL)
            self._transport.write(line + head + body)

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()
