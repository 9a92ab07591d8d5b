"""One GET or POST, and whether it was answered by 200. A whole HTTP client would cost the agent more than the rest of it."""

import asyncio
from enum import StrEnum


class Answer(StrEnum):
    """`silent`: connected, but no answer in time; `refused`: nobody listens, or it hung up."""

    WELL = "well"
    UNWELL = "unwell"
    SILENT = "silent"
    REFUSED = "refused"


async def probe(host: str, port: int, path: str, *, key: str, timeout_s: float) -> Answer:
    """Ask `GET path`; never raises for what the other side does."""
    return await _ask("GET", host, port, path, key, timeout_s)


async def order(host: str, port: int, path: str, *, key: str, timeout_s: float) -> Answer:
    """The same by `POST path`, with an empty JSON object."""
    return await _ask("POST", host, port, path, key, timeout_s)


async def _ask(method: str, host: str, port: int, path: str, key: str, timeout_s: float) -> Answer:  # noqa: PLR0917
    try:
        async with asyncio.timeout(timeout_s):
            status = await _get_status(method, host, port, path, key)
    except TimeoutError:
        return Answer.SILENT
    except (OSError, EOFError, asyncio.LimitOverrunError):
        return Answer.REFUSED
    return Answer.WELL if b" 200 " in status else Answer.UNWELL


async def _get_status(method: str, host: str, port: int, path: str, key: str) -> bytes:
    """The status line."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        name = f"[{host}]" if ":" in host else host
        request = (
            f"{method} {path} HTTP/1.1\r\nHost: {name}:{port}\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n"
        )
        if method == "POST":
            request += "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
        else:
            request += "\r\n"
        writer.write(request.encode())
        return await reader.readuntil(b"\r\n")
    finally:
        writer.close()
