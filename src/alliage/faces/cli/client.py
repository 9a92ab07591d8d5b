"""Asks the admin API over HTTP. Errors come back as the AlliageError that the API meant."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote

import httpx2
from pydantic import ValidationError

from alliage.errors import AlliageError, BadInput, NotFound, Unavailable
from alliage.faces.admin.answers import Answer
from alliage.faces.cli.place import Place, not_running

Answered = TypeVar("Answered", bound=Answer)
CONNECT_S_MAX: Final = 5.0
ANSWER_S_MAX: Final = 120.0
"""A hub id is looked up while the API answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A status and the JSON text that came with it."""

    status: int
    text: str

    def data(self) -> Any:
        """The JSON as plain values."""
        return json.loads(self.text)


def parse(kind: type[Answered], text: str) -> Answered:
    """The answer in a JSON text; raises Unavailable where it is another one (another program, or a much older Alliage)."""
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        message = f"the answer is not one of this admin API: {error.error_count()} fields are missing or wrong"
        raise Unavailable(
            message, remedy="see which program and version answers there; check ALLIAGE_ADMIN_PORT"
        ) from error


class AdminClient:
    """One connection to the admin API; use it as a context."""

    def __init__(self, place: Place) -> None:
        self.place = place
        timeout = httpx2.Timeout(ANSWER_S_MAX, connect=CONNECT_S_MAX)
        headers = {"Authorization": f"Bearer {place.key}"}
        self._http = httpx2.Client(base_url=place.admin_url, headers=headers, timeout=timeout, trust_env=False)

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._http.close()

    def get(self, *path: str, **query: str | int) -> str:
        """The JSON text at `/v1/PATH...`; raises what the API answered, NotRunning or Unavailable."""
        return self._checked(self._ask("GET", path, query=query)).text

    def post(self, *path: str, body: Mapping[str, Any], **query: str | int) -> str:
        """As `get`."""
        return self._checked(self._ask("POST", path, query=query, body=body)).text

    def patch(self, *path: str, body: Mapping[str, Any]) -> str:
        """As `get`."""
        return self._checked(self._ask("PATCH", path, body=body)).text

    def delete(self, *path: str, **query: str | int) -> str:
        """As `get`."""
        return self._checked(self._ask("DELETE", path, query=query)).text

    def offer(self, *path: str, body: Mapping[str, Any]) -> Reply:
        """POST where a refusal (409 with the code `refused`) is an answer and not an error."""
        reply = self._ask("POST", path, body=body)
        return reply if reply.status == 409 and _error(reply).get("code") == "refused" else self._checked(reply)

    def stream(self, *path: str, **query: str | int) -> Iterator[str]:
        """Pieces of text as they come, however long that takes."""
        timeout = httpx2.Timeout(None, connect=CONNECT_S_MAX)
        try:
            with self._http.stream("GET", _route(path), params=query, timeout=timeout) as response:
                if response.status_code >= 400:
                    response.read()
                    self._checked(_reply(response, self.place))
                yield from response.iter_text()
        except httpx2.HTTPError as error:
            raise self._lost(error) from error

    def _ask(
        self,
        method: str,
        path: tuple[str, ...],
        *,
        query: Mapping[str, str | int] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Reply:
        try:
            return _reply(self._http.request(method, _route(path), params=query, json=body), self.place)
        except httpx2.HTTPError as error:
            raise self._lost(error) from error

    def _lost(self, error: httpx2.HTTPError) -> AlliageError:
        if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
            return not_running(self.place.home)
        message = f"the admin API at {self.place.admin_url} did not answer: {str(error) or type(error).__name__}"
        return Unavailable(message, remedy="try again; `alliage status` tells whether it is up")

    def _checked(self, reply: Reply) -> Reply:
        if reply.status < 400:
            return reply
        error = _error(reply)
        kinds = {"bad_input": BadInput, "not_found": NotFound}
        kind = kinds.get(error.get("code", ""), AlliageError)
        raise kind(error.get("message") or f"the admin API answered {reply.status}", remedy=error.get("remedy", ""))


def _route(path: tuple[str, ...]) -> str:
    """The address of `/v1/PATH...`; raises BadInput for a part that would lead elsewhere."""
    for part in path:
        if part in ("", ".", ".."):
            raise BadInput(f"{part!r} is not a name", remedy="`alliage status` lists the names there are")
    return "/v1/" + "/".join(quote(part, safe="") for part in path)


def _reply(response: httpx2.Response, place: Place) -> Reply:
    """The reply; raises Unavailable where something else than Alliage answered."""
    if response.headers.get("content-type", "").startswith("application/json"):
        return Reply(status=response.status_code, text=response.text)
    message = f"what answers at {place.admin_url} is not the admin API of Alliage (status {response.status_code})"
    raise Unavailable(message, remedy="see what uses that port, or set ALLIAGE_ADMIN_PORT or --home")


def _error(reply: Reply) -> Mapping[str, str]:
    """The error of a reply, empty where it has none of our shape."""
    data = reply.data()
    error = data.get("error") if isinstance(data, dict) else None
    return error if isinstance(error, dict) else {}
