"""The outermost layer of the admin API: checks `Host`, and turns a bug into a 500 with an id. Plain ASGI."""

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import structlog
from fastapi.responses import JSONResponse

from alliage.errors import BadInput
from alliage.faces.admin.faults import answer_error

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
    """Wraps the application. A foreign `Host` (DNS rebinding: a web page that points its name here) is refused."""

    def __init__(self, app: ASGIApp, *, allowed_hosts: frozenset[str]) -> None:
        self._app = app
        self._allowed = frozenset(host.lower() for host in allowed_hosts)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or not {hosts[0].lower(), host_name(hosts[0])} & self._allowed:
            await self._refuse(", ".join(hosts))(scope, receive, send)
            return
        await self._serve(scope, receive, send)

    def _refuse(self, host: str) -> JSONResponse:
        known = ", ".join(sorted(self._allowed))
        return answer_error(BadInput(f"this API does not answer to the host {host!r}", remedy=f"use one of: {known}"))

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


def _crashed(fault: str) -> JSONResponse:
    message = f"Alliage failed to answer; this is a bug (fault {fault})"
    remedy = "look for that id in control's log and report it"
    return JSONResponse({"error": {"code": "internal", "message": message, "remedy": remedy}}, status_code=500)
