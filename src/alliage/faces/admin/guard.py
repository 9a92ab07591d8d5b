"""The outermost layer of the admin API: checks `Host`, key and size, and turns a bug into a 500 with an id. Plain ASGI."""

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import structlog
from fastapi.exceptions import HTTPException
from fastapi.responses import JSONResponse
from fastapi.security.utils import get_authorization_scheme_param

from alliage.control.desk import Desk
from alliage.errors import AlliageError, BadInput
from alliage.faces.admin.access import known_key
from alliage.faces.admin.faults import answer_error
from alliage.units import MIB, format_bytes

BODY_BYTES_MAX: Final = MIB
OPEN_PATHS: Final = frozenset({"/", "/docs", "/openapi.json", "/health"})
"""What is answered without a key."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Message, Receive, Send], Awaitable[None]]

log = structlog.get_logger(__name__)


def host_name(header: str) -> str:
    """The name in a `Host` header without its port: `[::1]:8001` -> `::1`."""
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].lower().rstrip(".")


class Guard:
    """Wraps the application, and refuses before it reads or parses anything of a body.

    Refused are a foreign `Host` (DNS rebinding: a web page that points its name here), whoever has no key where one is
    needed, and what is larger than any body of this API.
    """

    def __init__(self, app: ASGIApp, *, desk: Desk, allowed_hosts: frozenset[str]) -> None:
        self._app = app
        self._desk = desk
        self._allowed = frozenset(host.lower() for host in allowed_hosts)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._check_host(_header(scope, b"host"))
            if scope["path"] not in OPEN_PATHS:
                known_key(self._desk, _bearer(scope))
        except AlliageError as error:
            await answer_error(error)(scope, receive, send)
            return
        await self._serve(scope, _limited(receive), send)

    def _check_host(self, hosts: list[str]) -> None:
        if len(hosts) != 1 or not {hosts[0].lower(), host_name(hosts[0])} & self._allowed:
            known = ", ".join(sorted(self._allowed))
            message = f"this API does not answer to the host {', '.join(hosts)!r}"
            raise BadInput(message, remedy=f"use one of: {known}")

    async def _serve(self, scope: Message, receive: Receive, send: Send) -> None:
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception:
            fault = secrets.token_hex(4)
            log.exception("admin request failed", fault=fault, method=scope["method"], path=scope["path"])
            if begun:
                raise
            await _crashed(fault)(scope, receive, send)


def _header(scope: Message, wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name == wanted]


def _bearer(scope: Message) -> str:
    """The secret that came, "" for none."""
    scheme, secret = get_authorization_scheme_param(next(iter(_header(scope, b"authorization")), None))
    return secret if scheme.lower() == "bearer" else ""


def _limited(receive: Receive) -> Receive:
    """The same body up to the most that is read; then a 413, which passes through the application to its one shape."""
    size = 0

    async def limited() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > BODY_BYTES_MAX:
            raise HTTPException(413, f"the body is larger than {format_bytes(BODY_BYTES_MAX)}")
        return message

    return limited


def _crashed(fault: str) -> JSONResponse:
    message = f"Alliage failed to answer; this is a bug (fault {fault})"
    remedy = "look for that id in control's log and report it"
    return JSONResponse({"error": {"code": "internal", "message": message, "remedy": remedy}}, status_code=500)
