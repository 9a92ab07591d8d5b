"""Nodes and devices taken out of use by admins: over the admin API, and on the command line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from alliage.fleet.ids import NodeId
from tests.builders import a_node
from tests.faces.served import ADMIN_KEY, USER_KEY, Served, served
from tests.faces.shell import Ran, alliage

MODEL = "smollm2-135m"


@pytest.fixture
def cloud() -> Iterator[Served]:
    """A laptop, and a rack with room for nothing."""
    with served() as running:
        add(running, "rack", memory_bytes=1 << 20)
        yield running


@pytest.fixture
def home(cloud: Served, tmp_path: Path) -> Path:
    """A home folder as `alliage up` leaves it, with one service."""
    cloud.announce(tmp_path / "home")
    done(alliage("deploy", MODEL, home=tmp_path / "home"))
    return tmp_path / "home"


def add(cloud: Served, name: str, memory_bytes: int = 16 << 30) -> None:
    """One more node joins."""

    def join() -> None:
        cloud.agents.nodes[NodeId(name)] = a_node(name, memory_bytes=memory_bytes)
        cloud.world.loop.pass_once()

    cloud.call(join)


def done(ran: Ran) -> Ran:
    """The run, which must have ended well."""
    assert ran.code == 0, ran
    return ran


def ask(cloud: Served, method: str, path: str, key: str = ADMIN_KEY) -> httpx2.Response:
    """One request."""
    headers = {"Authorization": f"Bearer {key}"}
    return httpx2.request(method, cloud.url + path, headers=headers, trust_env=False, timeout=20)


def node(cloud: Served, name: str = "laptop") -> Any:
    """A node as the API answers."""
    return ask(cloud, "GET", f"/v1/nodes/{name}").json()


def test_a_cordon_and_its_end(cloud: Served, home: Path) -> None:
    """It shows in the lists and in status, keeps what runs, refuses what is new and says what would help."""
    assert "is cordoned" in done(alliage("node", "cordon", "laptop", home=home)).err
    assert "ready, cordoned" in done(alliage("status", home=home)).out
    assert json.loads(done(alliage("node", "show", "laptop", "--json", home=home)).out)["moves"] == []
    assert len(node(cloud)["replicas"]) == 1
    refused = alliage("deploy", MODEL, "--name", "second", home=home)
    assert refused.code == 1
    assert "node laptop is cordoned: nothing new is placed there" in refused.out
    assert "`alliage node uncordon laptop` would make room" in refused.out
    assert "cordon laptop by an admin" in done(alliage("history", "laptop", home=home)).out
    assert "is open" in done(alliage("node", "uncordon", "laptop", home=home)).err
    done(alliage("deploy", MODEL, "--name", "second", home=home))


def test_a_drain_with_somewhere_to_go(cloud: Served, home: Path) -> None:
    """A dry run names the replica and its next place and changes nothing; the drain follows it until the node is empty."""
    add(cloud, "spare")
    (replica,) = node(cloud)["replicas"]
    dry = done(alliage("node", "drain", "laptop", "--dry-run", home=home))
    assert f"{replica} of {MODEL} moves to spare/cpu0" in dry.out
    assert "nothing was changed" in dry.err
    assert node(cloud)["draining"] is False
    assert "laptop is empty" in done(alliage("node", "drain", "laptop", home=home)).err
    after = node(cloud)
    assert (after["draining"], after["cordoned"], after["replicas"]) == (True, True, [])
    assert len(node(cloud, "spare")["replicas"]) == 1
    assert "laptop is being drained" in done(alliage("explain", MODEL, home=home)).out


def test_a_drain_with_nowhere_to_go(cloud: Served, home: Path) -> None:
    """It says why, before and after; the replica serves on, and `explain` says so; a cordon takes the drain back."""
    (replica,) = node(cloud)["replicas"]
    why = f"{replica} still serves {MODEL}, because it can go nowhere else: "
    assert why in alliage("node", "drain", "laptop", "--dry-run", home=home).out
    drained = alliage("node", "drain", "laptop", home=home)
    assert drained.code == 1
    assert "goes on draining" in drained.err
    shown = done(alliage("node", "show", "laptop", home=home)).out
    assert why in shown
    assert "rack/cpu0 has 1 MiB free" in shown
    explained = done(alliage("explain", MODEL, home=home)).out
    assert f"{replica} still serves on laptop, which is being drained" in explained
    assert done(alliage("services", home=home)).out.splitlines()[1].split()[1] == "ready"
    done(alliage("node", "cordon", "laptop", home=home))
    assert (node(cloud)["draining"], node(cloud)["moves"]) == (False, [])


def test_devices(cloud: Served, home: Path) -> None:
    """Listed, cordoned and opened one by one; a node that is opened keeps them closed and says so; one can be drained."""
    assert "laptop/cpu0" in done(alliage("device", "list", home=home)).out
    listed = json.loads(done(alliage("device", "list", "rack", "--json", home=home)).out)["devices"]
    assert [(each["id"], each["cordoned"]) for each in listed] == [("rack/cpu0", False)]
    assert "is cordoned" in done(alliage("device", "cordon", "laptop/cpu0", home=home)).err
    assert "cordoned" in done(alliage("device", "list", "laptop", home=home)).out
    still = done(alliage("node", "uncordon", "laptop", home=home)).err
    assert "cordoned one by one, and still so: laptop/cpu0" in still
    add(cloud, "spare")
    done(alliage("device", "drain", "laptop/cpu0", home=home))
    assert len(node(cloud, "spare")["replicas"]) == 1
    done(alliage("device", "uncordon", "laptop/cpu0", home=home))
    assert node(cloud)["cordoned_devices"] == []


def test_forgetting(cloud: Served, home: Path) -> None:
    """Only what is gone; then it is in no list any more."""
    there = alliage("node", "forget", "rack", home=home)
    assert there.code == 1
    assert "node rack is there and would join again" in there.err
    cloud.call(lambda: cloud.agents.away.add(NodeId("rack")))
    cloud.call(lambda: cloud.world.run(40))
    assert "lost" in done(alliage("node", "list", home=home)).out
    assert "`alliage node forget rack`" in done(alliage("status", home=home)).out
    assert ask(cloud, "DELETE", "/v1/nodes/rack?dry_run=true").json() == {"dry_run": True, "node": "rack"}
    assert "is forgotten" in done(alliage("node", "forget", "rack", home=home)).err
    assert "rack" not in done(alliage("node", "list", home=home)).out


def test_what_is_not_there_is_named_with_what_is(cloud: Served, home: Path) -> None:
    """Each command that takes a name: the error has it, and the names there are."""
    for command in ("show", "drain", "forget"):
        wrong = alliage("node", command, "nope", home=home)
        assert wrong.code == 1, command
        assert "there is no node 'nope'" in wrong.err
        assert "laptop" in wrong.err
    wrong = alliage("device", "cordon", "laptop/gpu7", home=home)
    assert "there is no device 'laptop/gpu7'" in wrong.err
    assert "laptop/cpu0" in wrong.err
    assert "there is no node 'nope'" in alliage("device", "list", "nope", home=home).err
    assert alliage("device", "cordon", "laptop", home=home).code == 2


def test_users_look_and_admins_change(cloud: Served) -> None:
    """A key of role user reads nodes and devices, and takes nothing out."""
    assert ask(cloud, "GET", "/v1/nodes/laptop", USER_KEY).status_code == 200
    assert ask(cloud, "GET", "/v1/devices", USER_KEY).status_code == 200
    for method, path in (
        ("POST", "/v1/nodes/laptop/drain"),
        ("POST", "/v1/devices/laptop/cpu0/cordon"),
        ("DELETE", "/v1/nodes/laptop"),
    ):
        assert ask(cloud, method, path, USER_KEY).status_code == 403, path
    assert ask(cloud, "POST", "/v1/nodes/laptop/explode").status_code == 400
    assert ask(cloud, "DELETE", "/v1/nodes/laptop").status_code == 409
    dry = ask(cloud, "POST", "/v1/nodes/laptop/drain?dry_run=true").json()
    assert (dry["dry_run"], dry["node"]["draining"]) == (True, True)
    assert ask(cloud, "GET", "/v1/nodes/laptop").json()["draining"] is False
