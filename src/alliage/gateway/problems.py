"""What the gateway says no with: every refusal as a value, rendered in OpenAI's shape so that its clients raise the right class."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from alliage.units import format_bytes

_encode: Final = msgspec.json.Encoder().encode
_ANTHROPIC_KINDS: Final = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
"""Anthropic's documentation, Errors; where it has none of a status, its own classes of clients go by the status."""
WRONG_KEY: Final = "invalid_api_key"
"""The code of a key that is not one of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One refusal: `kind` is OpenAI's error type; `closes` when the connection cannot be used after it."""

    status: int
    message: str
    code: str
    kind: str = "invalid_request_error"
    param: str | None = None
    headers: bytes = b""
    closes: bool = False

    def body(self) -> bytes:
        """`{"error": {"message", "type", "param", "code"}}`."""
        error = {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}
        return _encode({"error": error})

    def anthropic_body(self, request_id: bytes) -> bytes:
        """`{"type": "error", "error": {"type", "message"}, "request_id"}`, as Anthropic's API has it."""
        kind = _ANTHROPIC_KINDS.get(self.status) or ("api_error" if self.status >= 500 else "invalid_request_error")
        error = {"type": kind, "message": self.message}
        return _encode({"type": "error", "error": error, "request_id": request_id.decode()})


def missing_key() -> Problem:
    """No key came."""
    return Problem(
        status=401,
        message="No API key was given; send the header 'Authorization: Bearer KEY' (or 'x-api-key: KEY').",
        code="missing_api_key",
        headers=b"WWW-Authenticate: Bearer\r\n",
    )


def wrong_key() -> Problem:
    """The key is not one of ours. It is not repeated: it may be another house's secret."""
    return Problem(
        status=401,
        message="This API key is not known here, or was revoked; ask an admin for a key.",
        code=WRONG_KEY,
        headers=b"WWW-Authenticate: Bearer\r\n",
    )


def too_many_wrong_keys(wait_s: float) -> Problem:
    """Wrong keys came from there again and again. A right one is let in all the same."""
    after_s = max(1, math.ceil(wait_s))
    return Problem(
        status=429,
        message=f"Too many wrong API keys came from your address; the next one is looked at in {after_s} s. "
        "A right key is not held back.",
        code="too_many_wrong_keys",
        kind="requests",
        headers=b"Retry-After: %d\r\n" % after_s,
    )


def no_such_path(path: str) -> Problem:
    """No endpoint has this path."""
    return Problem(
        status=404,
        message=f"There is no {path[:200]!r} here; there are /v1/chat/completions, /v1/completions, /v1/embeddings, "
        "/v1/responses, /v1/messages, /v1/models, /health and /metrics, and others that some engines serve.",
        code="unknown_url",
    )


def wrong_method(method: str, path: str, allowed: str) -> Problem:
    """The endpoint takes another method."""
    return Problem(
        status=405,
        message=f"{path} takes {allowed}, not {method}.",
        code="method_not_allowed",
        headers=b"Allow: " + allowed.encode() + b"\r\n",
    )


def unknown_model(model: str, known: Iterable[str]) -> Problem:
    """No service has this name."""
    there = ", ".join(sorted(known)) or "none yet"
    return Problem(
        status=404,
        message=f"The model {model[:200]!r} does not exist here; there are: {there}.",
        code="model_not_found",
        param="model",
    )


def wrong_task(model: str, path: str, answers: Iterable[str]) -> Problem:
    """The model does not do what this endpoint is for."""
    return Problem(
        status=400,
        message=f"The model {model!r} does not answer {path}; it answers {' and '.join(sorted(answers))}.",
        code="unsupported_task",
        param="model",
    )


def not_served(service: str, path: str, served: Mapping[str, Sequence[str]]) -> Problem:
    """No engine of the service has this path; `served` are those that each of them has. Asking again does not help."""
    told = "; ".join(f"{engine} serves {', '.join(paths) or 'no path'}" for engine, paths in served.items())
    return Problem(
        status=501,
        message=f"No engine of {service!r} serves {path}: {told}.",
        code="not_served",
        headers=b"X-Should-Retry: false\r\n",
    )


def bad_body(why: str) -> Problem:
    """The request's body cannot be understood."""
    return Problem(status=400, message=f"The request body cannot be used: {why}.", code="invalid_body")


def encoded_body(encoding: str) -> Problem:
    """The body is compressed."""
    return Problem(
        status=415,
        message=f"Bodies with Content-Encoding {encoding[:50]!r} are not read; send it plain.",
        code="encoded_body",
    )


def bad_http(why: str) -> Problem:
    """What came is not HTTP/1.1 as it should be; what follows on the connection cannot be trusted."""
    return Problem(status=400, message=f"The HTTP request is malformed: {why}.", code="bad_http", closes=True)


def speaks_tls() -> Problem:
    """Something else than TLS came to a port of TLS."""
    return Problem(
        status=400,
        message="This port speaks TLS, and what came is none; use https:// instead of http://.",
        code="tls_needed",
        closes=True,
    )


def bad_version(version: str) -> Problem:
    """Another version of HTTP."""
    return Problem(
        status=505, message=f"HTTP/{version} is not spoken here; use HTTP/1.1.", code="http_version", closes=True
    )


def head_too_large(limit: int) -> Problem:
    """The request's head is above its limit."""
    return Problem(
        status=431,
        message=f"The request's headers are larger than {format_bytes(limit)}.",
        code="headers_too_large",
        closes=True,
    )


def body_too_large(limit: int) -> Problem:
    """The request's body is above its limit."""
    return Problem(
        status=413,
        message=f"The request body is larger than {format_bytes(limit)}.",
        code="request_too_large",
        closes=True,
    )


def body_not_taken(path: str) -> Problem:
    """A body came with a request that needs none."""
    return Problem(status=400, message=f"{path} takes no request body.", code="body_not_taken", closes=True)


def no_room(limit: int) -> Problem:
    """Too many large bodies wait for their engines."""
    return Problem(
        status=503,
        message=f"The {format_bytes(limit)} that this gateway keeps of request bodies are taken; try again soon.",
        code="no_room",
        kind="server_error",
        headers=b"Retry-After: 1\r\n",
        closes=True,
    )


def too_early() -> Problem:
    """A large body came before there is a table that says whose key it has."""
    return not_ready("This gateway has not heard from control yet and takes only small requests.", retry_after_s=1)


def too_slow(what: str, limit_s: float) -> Problem:
    """The request did not come in time."""
    return Problem(
        status=408,
        message=f"The request's {what} did not come within {limit_s:g} s.",
        code="request_timeout",
        closes=True,
    )


def too_many_connections(limit: int) -> Problem:
    """All places are taken."""
    return Problem(
        status=503,
        message=f"All {limit} connections of this gateway are taken; try again soon.",
        code="too_many_connections",
        kind="server_error",
        headers=b"Retry-After: 1\r\n",
        closes=True,
    )


def admins_only(header: str) -> Problem:
    """A key of another role chose the replica: that would pass by how they are shared."""
    return Problem(
        status=403, message=f"The header {header!r} needs a key of role admin; leave it out.", code="forbidden"
    )


def no_such_replica(service: str, replica: str, known: Iterable[str]) -> Problem:
    """The replica that was asked for does not answer for this service now."""
    there = ", ".join(sorted(known)) or "none"
    return not_ready(f"No replica {replica[:200]!r} of {service!r} is ready; ready ones: {there}.")


def not_ready(why: str, *, retry_after_s: int = 5) -> Problem:
    """It cannot be answered now, and may be later."""
    return Problem(
        status=503,
        message=why,
        code="service_unavailable",
        kind="server_error",
        headers=b"Retry-After: %d\r\n" % retry_after_s,
    )


def upstream_failed(service: str, why: str) -> Problem:
    """The engine failed before anything was answered."""
    return Problem(
        status=502, message=f"The engine of {service!r} failed: {why}.", code="upstream_failed", kind="server_error"
    )


def upstream_slow(service: str, limit_s: float) -> Problem:
    """The engine did not begin its answer."""
    return Problem(
        status=504,
        message=f"The engine of {service!r} did not begin its answer within {limit_s:g} s.",
        code="upstream_timeout",
        kind="server_error",
    )
