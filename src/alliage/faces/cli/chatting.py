"""`chat`: a conversation with a service through the gateway, streamed to the terminal."""

import contextlib
import json
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final

import httpx2

from alliage.errors import AlliageError, BadInput, NotFound, Unavailable
from alliage.faces.admin import answers
from alliage.faces.cli.client import CONNECT_S_MAX, AdminClient, parse
from alliage.faces.cli.place import find_place
from alliage.faces.cli.screen import pour, remark
from alliage.faces.cli.trust import gateway_trust
from alliage.faces.telling import error_text

SILENCE_S_MAX: Final = 300.0
"""How long the model may be silent: the gateway holds requests while a service starts."""
SHOWN_CHARACTERS_MAX: Final = 100
_HELP: Final = "Ctrl-C stops an answer, /new begins anew, Ctrl-D or /exit leaves."


class Conversation:
    """What was said so far with one service."""

    def __init__(self, http: httpx2.Client, *, gateway_url: str, service: str) -> None:
        self._http = http
        self._url = f"{gateway_url}/v1/chat/completions"
        self.service = service
        self._said: list[dict[str, str]] = []

    def forget(self) -> None:
        """Begin anew."""
        self._said.clear()

    def ask(self, text: str) -> Generator[str, None, None]:
        """The answer piece by piece; a part that was stopped stays said, a turn without any answer does not."""
        self._said.append({"role": "user", "content": text})
        pieces: list[str] = []
        try:
            for piece in self._stream():
                pieces.append(piece)
                yield piece
        finally:
            if pieces:
                self._said.append({"role": "assistant", "content": "".join(pieces)})
            else:
                self._said.pop()

    def _stream(self) -> Iterator[str]:
        body = {"model": self.service, "messages": self._said, "stream": True}
        try:
            with self._http.sse(self._url, method="POST", json=body) as events:
                if events.response.status_code != 200:
                    events.response.read()
                    raise _refusal(events.response)
                for event in events:
                    if event.data == "[DONE]":
                        return
                    yield from texts_in(event.data)
        except httpx2.HTTPError as error:
            message = f"the gateway at {self._url} broke off: {str(error) or type(error).__name__}"
            raise Unavailable(message, remedy="ask again; `alliage status` tells how things are") from error


def chat(home: Path, service: str | None, *, message: str | None) -> int:
    """One answer to `message` or to what is piped in; else a conversation until Ctrl-D. The exit code."""
    if message is not None and not message.strip():
        raise BadInput("the message is empty", remedy='say something: alliage chat -m "Hello"')
    place = find_place(home)
    with AdminClient(place) as client:
        status = parse(answers.StatusAnswer, client.get("status"))
    name = service or pick(status.services)
    timeout = httpx2.Timeout(SILENCE_S_MAX, connect=CONNECT_S_MAX)
    headers = {"Authorization": f"Bearer {place.key}"}
    with httpx2.Client(headers=headers, timeout=timeout, trust_env=False, verify=gateway_trust(place.home)) as http:
        talk = Conversation(http, gateway_url=status.gateway_url, service=name)
        if message is None and sys.stdin.isatty():
            return _converse(talk)
        return _say(talk, message if message is not None else sys.stdin.read())


def pick(services: tuple[answers.ServiceAnswer, ...]) -> str:
    """The first chat service that is ready, else the first that is starting or starts when it is asked; raises NotFound."""
    able = [each for each in services if "chat" in each.model.tasks]
    for phase in ("ready", "starting", "idle"):
        for each in able:
            if each.phase == phase:
                return each.name
    known = ", ".join(f"{each.name} ({each.phase})" for each in services) or "none"
    raise NotFound(f"there is no service to chat with; services: {known}", remedy="alliage deploy smollm2-135m")


def _converse(talk: Conversation) -> int:
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401, PLC0415 - gives input() its editing and its history
    remark(f"{talk.service}. {_HELP}")
    while True:
        try:
            text = input("> ").strip()
        except KeyboardInterrupt:
            remark(f"\n{_HELP}")
            continue
        except EOFError:
            remark("")
            return 0
        if text == "/exit":
            return 0
        if text == "/new":
            talk.forget()
        elif text:
            _answer_line(talk, text)


def _answer_line(talk: Conversation, text: str) -> None:
    """One turn; an error or Ctrl-C ends the turn, not the conversation."""
    try:
        _say(talk, text)
    except AlliageError as error:
        remark(error_text(error))
    except KeyboardInterrupt:
        sys.stdout.write("\n")
        remark("(stopped)")


def _say(talk: Conversation, text: str) -> int:
    """Print the answer as it comes."""
    with contextlib.closing(talk.ask(text)) as pieces:
        for piece in pieces:
            pour(piece)
    sys.stdout.write("\n")
    return 0


def texts_in(data: str) -> list[str]:
    """The new texts in the JSON of one event; raises Unavailable with what the engine says went wrong, or for another thing."""
    try:
        chunk = json.loads(data)
        refused = chunk.get("error")
        message = str(refused.get("message", refused)) if refused else ""
        found = [(choice.get("delta") or {}).get("content") for choice in chunk.get("choices") or ()]
    except (ValueError, TypeError, AttributeError) as error:
        message = f"the gateway sent what is no part of an answer: {data[:SHOWN_CHARACTERS_MAX]!r}"
        raise Unavailable(message, remedy="ask again; `alliage logs` shows what the engine says") from error
    if message:
        raise Unavailable(message)
    return [text for text in found if isinstance(text, str) and text]


def _refusal(response: httpx2.Response) -> AlliageError:
    """The gateway's error as ours."""
    try:
        message = str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        message = f"the gateway answered {response.status_code}"
    return AlliageError(message, remedy="`alliage services` lists what there is")
