"""One request as it was parsed, and the checks that need nothing but the head."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

import httptools

from alliage.fleet.routing import REPLICA_HEADER, KeyEntry
from alliage.gateway import problems
from alliage.gateway.endpoints import ENDPOINTS, MODEL, MODEL_PREFIX, Action, Endpoint
from alliage.gateway.problems import Problem

ANTHROPIC_VERSION: Final = b"anthropic-version"
_MESSAGES: Final = b"/v1/messages"
_REPLICA: Final = REPLICA_HEADER.lower().encode()
_ACCEPT_BYTES_MAX: Final = 256
_GONE_BY: Final = (b"transfer-encoding", b"content-length", b"content-encoding", b"authorization", b"host")
_USUAL_ACCEPTS: Final = frozenset((b"*/*", b"application/json", b"text/event-stream"))
_SANE_ID: Final = re.compile(rb"[A-Za-z0-9._:-]{1,128}")


class Request:
    """Mutable while it is parsed: `body` is whole only when the message is. Header names are in lower case; `headers` may be another's too."""

    __slots__ = (
        "announced_bytes", "body", "endpoint", "entry", "headers", "id", "judged", "keep", "kept_bytes", "lines", "method", "path", "problem", "replica", "version",
    )  # fmt: skip

    def __init__(  # noqa: PLR0917 - names cost time
        self,
        method: bytes,
        target: bytes,
        version: str,
        headers: dict[bytes, bytes],
        keep: bool,  # noqa: FBT001 - see above
        announced_bytes: int,
    ) -> None:
        self.method = method
        self.path = target
        self.version = version
        self.headers = headers
        self.keep = keep
        self.announced_bytes = announced_bytes
        self.kept_bytes = 0
        """What `Room` counts for it."""
        self.body = b""
        self.id = b""
        self.endpoint: Endpoint | None = None
        self.entry: KeyEntry | None = None
        self.judged = 0
        """The number of the table by which its key was looked up."""
        self.problem: Problem | None = None
        self.replica: bytes | None = None
        """The one that is to answer it, if it names one."""
        self.lines = b""
        """Header lines that its engine gets, of a body that is no form, where they were made before (`handing`)."""

    def another(self, body: bytes) -> "Request":
        """One with the same head that is let in like this one; its id is its own, and not there yet."""
        request = Request(self.method, self.path, self.version, self.headers, self.keep, len(body))
        request.body = body
        request.endpoint = self.endpoint
        request.entry = self.entry
        request.judged = self.judged
        request.replica = self.replica
        request.lines = self.lines
        return request

    @property
    def old(self) -> bool:
        """Whether it is HTTP/1.0: no chunked answers, closes unless told otherwise."""
        return self.version == "1.0"

    @property
    def is_anthropic(self) -> bool:
        """Whether a client of Anthropic's API asks: what the gateway itself answers has the shape that it reads."""
        return ANTHROPIC_VERSION in self.headers or self.path.startswith(_MESSAGES)


def model_named(path: bytes) -> str:
    """The model's name in `/v1/models/NAME`."""
    return unquote(path[len(MODEL_PREFIX) :].decode("ascii", "replace"))


def credentials(headers: dict[bytes, bytes]) -> bytes | None:
    """The key that came, as an Authorization header has it; clients of Anthropic's API send `x-api-key`."""
    given = headers.get(b"authorization")
    if given is None:
        key = headers.get(b"x-api-key")
        return None if key is None else b"Bearer " + key
    return given


def sane_id(given: bytes | None) -> bytes | None:
    """A client's request id if it is one that may be repeated in headers and logs."""
    return given if given is not None and _SANE_ID.fullmatch(given) else None


def sane_accept(given: bytes | None) -> bytes:
    """A client's Accept header if engines read it: llama.cpp answers an empty 400 to a long one or one beyond ASCII."""
    if given is None or given in _USUAL_ACCEPTS:
        return given or b"*/*"
    if given and len(given) <= _ACCEPT_BYTES_MAX and given.isascii() and b"\t" not in given:
        return given  # the parser lets no other control characters through
    return b"*/*"


def head_without_upgrade(request: Request) -> bytes:
    """The same head as bytes, without the wish to speak another protocol."""
    keep = b"keep-alive" if request.keep else b"close"
    headers = {**request.headers, b"connection": keep}
    headers.pop(b"upgrade", None)
    lines = b"".join(b"%b: %b\r\n" % item for item in headers.items())
    return b"%b %b HTTP/%b\r\n%b\r\n" % (request.method, request.path, request.version.encode(), lines)


def spells_twice(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a header that we go by came in two spellings; of one that came twice in one spelling the first counts."""
    names = [name.lower() for name in headers]
    return any(names.count(name) > 1 for name in _GONE_BY)


def check_head(request: Request, body_bytes_max: int) -> Problem | None:
    """Finds the endpoint; the problem of version, framing, announced size, path or method, if there is one."""
    bad = _check_framing(request)
    if bad is not None:
        return bad
    if request.announced_bytes > body_bytes_max:
        return problems.body_too_large(body_bytes_max)
    endpoint = ENDPOINTS.get(request.path) or _find(request)
    if endpoint is None:
        return problems.no_such_path(request.path.decode("latin-1"))
    if request.method != endpoint.method:
        return problems.wrong_method(request.method.decode(), endpoint.path.decode(), endpoint.method.decode())
    request.endpoint = endpoint
    request.replica = request.headers.get(_REPLICA)
    if endpoint.action is not Action.RELAY and (request.announced_bytes or b"transfer-encoding" in request.headers):
        return problems.body_not_taken(endpoint.path.decode())
    encoding = request.headers.get(b"content-encoding", b"identity")
    return None if encoding == b"identity" else problems.encoded_body(encoding.decode("latin-1"))


def _check_framing(request: Request) -> Problem | None:
    """What the parser lets through and we do not."""
    if request.version == "1.1":
        if b"host" not in request.headers:
            return problems.bad_http("the Host header is missing")
    elif request.version != "1.0":
        return problems.bad_version(request.version)
    coding = request.headers.get(b"transfer-encoding")
    if coding is not None and (request.version == "1.0" or coding.lower() != b"chunked"):
        return problems.bad_http(f"the transfer encoding {coding.decode('latin-1')[:50]!r} is not taken")
    return None


def _find(request: Request) -> Endpoint | None:
    """The endpoint of a target that is more than its path: with a query, absolute, or with a model's name."""
    path = request.path.partition(b"?")[0]
    if not path.startswith(b"/"):
        try:
            path = httptools.parse_url(request.path).path or b"/"
        except httptools.HttpParserInvalidURLError:
            return None
    request.path = path
    if path.startswith(MODEL_PREFIX) and len(path) > len(MODEL_PREFIX):
        return MODEL
    return ENDPOINTS.get(path)
