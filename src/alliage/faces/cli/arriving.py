"""What `up` does once the processes run: wait for them, deploy the first model, say how to use the cloud."""

import contextlib
import shlex
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2

from alliage.app.home import Home
from alliage.errors import AlliageError, NotRunning, Unavailable
from alliage.faces.admin import answers
from alliage.faces.cli.client import CONNECT_S_MAX, AdminClient, parse
from alliage.faces.cli.deploying import telling, wait_ready
from alliage.faces.cli.place import find_place
from alliage.faces.cli.reference import model_reference
from alliage.faces.cli.screen import remark
from alliage.faces.telling import error_text
from alliage.units import format_seconds

POLL_S: Final = 0.1
UP_WITHIN_S: Final = 60.0
"""Control, gateway and agent have this long to find each other."""
MODEL_WITHIN_S: Final = 1800.0
"""The first model's download and start are watched for so long; they go on in the background."""
NO_MODEL: Final = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One start of the cloud, followed as any client would, from a thread beside the supervisor's loop.

    `model` is deployed on the first `up` of a home ("none": nothing is). `settled` is called when all processes
    have found each other, `failed` with a sentence when they do not.
    """

    home: Home
    model: str
    url: str
    admin_url: str
    gateways: int = 1
    settled: Callable[[], None]
    failed: Callable[[str], None]

    def follow(self) -> None:
        """Until the first service is ready, or will not be. Once all is up, nothing that fails here ends the cloud."""
        try:
            self._wait_for_processes()
            if self.gateways > 1:
                self._wait_for_gateways()
        except AlliageError as error:
            self.failed(str(error))
            return
        self.settled()
        try:
            with AdminClient(find_place(self.home.root)) as client:
                _wait_for_agent(client)
                self._first_model(client)
                print_raw(usage(self, _ready_service(client)))
        except AlliageError as error:
            remark(error_text(error))
            remark(f"Alliage is up at {self.url}/v1 all the same; Ctrl-C stops it")

    def _wait_for_processes(self) -> None:
        """Until control answers and a gateway is on its line. Neither needs a key."""
        deadline_s = time.monotonic() + UP_WITHIN_S
        missing = "control"
        while time.monotonic() < deadline_s:
            if is_healthy(self.admin_url):
                missing = "the gateway"
                if is_healthy(self.url, control="connected"):
                    return
            time.sleep(POLL_S)
        raise Unavailable(f"{missing} did not come up within {format_seconds(UP_WITHIN_S)}")

    def _wait_for_gateways(self) -> None:
        """Until all of them are on control's line: asking the port would tell of one at a time."""
        deadline_s = time.monotonic() + UP_WITHIN_S
        there = 0
        with AdminClient(find_place(self.home.root)) as client:
            while time.monotonic() < deadline_s:
                with contextlib.suppress(NotRunning, Unavailable):
                    there = len(parse(answers.StatusAnswer, client.get("status")).doors)
                    if there >= self.gateways:
                        return
                time.sleep(POLL_S)
        raise Unavailable(f"{there} of {self.gateways} gateways came up within {format_seconds(UP_WITHIN_S)}")

    def _first_model(self, client: AdminClient) -> None:
        """Deploy the default model on the first `up`; on later ones wait for what is deployed."""
        services = parse(answers.ServicesAnswer, client.get("services")).services
        if self.model != NO_MODEL and not self.home.default_deployed.exists():
            catalogue = {model.id for model in parse(answers.ModelsAnswer, client.get("models")).models}
            reply = client.offer("services", body={"model": model_reference(self.model, catalogue=catalogue)})
            answer = parse(answers.DeployAnswer, reply.text)
            for decision in answer.decisions:
                remark(decision.text)
            if not answer.accepted:
                return
            self.home.default_deployed.write_text(self.model + "\n")
            names = [answer.service.name]
        else:
            names = [service.name for service in services if service.phase in ("starting", "ready")]
        for name in names[:1]:
            with telling(name) as tell:
                wait_ready(client, name, wait_s=MODEL_WITHIN_S, tell=tell)


def is_healthy(url: str, **told: str) -> bool:
    """Whether `/health` answers, and says what is expected."""
    try:
        answer = httpx2.get(f"{url}/health", timeout=CONNECT_S_MAX, trust_env=False, verify=not _is_own(url))
        found = answer.json()
    except (httpx2.HTTPError, ValueError):
        return False
    return answer.status_code == 200 and all(found.get(key) == value for key, value in told.items())


def _is_own(url: str) -> bool:
    """Our own gateway, whose certificate need not name this address; nothing secret is sent there."""
    return url.startswith("https:")


def _wait_for_agent(client: AdminClient) -> None:
    """Until this machine has joined: before, nothing can be placed."""
    deadline_s = time.monotonic() + UP_WITHIN_S
    while time.monotonic() < deadline_s:
        with contextlib.suppress(NotRunning, Unavailable):
            if any(node.connected for node in parse(answers.NodesAnswer, client.get("nodes")).nodes):
                return
        time.sleep(POLL_S)
    raise Unavailable(f"the agent did not join within {format_seconds(UP_WITHIN_S)}")


def _ready_service(client: AdminClient) -> str | None:
    services = parse(answers.ServicesAnswer, client.get("services")).services
    return next((service.name for service in services if service.phase == "ready"), None)


def print_raw(text: str) -> None:
    """As it is: lines that a terminal folds by itself can be pasted, lines that we fold cannot."""
    with contextlib.suppress(OSError):
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def _program() -> str:
    """How this program was called, in words that work in the same shell."""
    called = sys.argv[0]
    if called.endswith("__main__.py"):
        return "python -m alliage"
    name = Path(called).name
    return name if shutil.which(name) else called


def usage(arrival: Arrival, service: str | None) -> str:
    """How to talk to it: lines that work when pasted."""
    url, user_key = arrival.url, arrival.home.user_key
    lines = [f"Alliage is up at {url}/v1 (admin API: {arrival.admin_url}/docs; Ctrl-C stops it)"]
    if service is None:
        return "\n".join([*lines, "nothing is deployed: `alliage deploy smollm2-135m`"])
    body = f'{{"model": "{service}", "messages": [{{"role": "user", "content": "Say hello."}}]}}'
    key = f'"Authorization: Bearer $(cat {shlex.quote(str(user_key))})"'
    ask = f'model="{service}", messages=[{{"role": "user", "content": "Say hello."}}]'
    lines += [
        "",
        "in a shell:",
        f"curl {url}/v1/chat/completions -H {key} -H 'Content-Type: application/json' -d '{body}'",
        "",
        "in Python:",
        "from openai import OpenAI",
        f'client = OpenAI(base_url="{url}/v1", api_key=open({str(user_key)!r}).read().strip())',
        f"print(client.chat.completions.create({ask}).choices[0].message.content)",
        "",
        f"or: {_program()} chat {service}",
    ]
    return "\n".join(lines)
