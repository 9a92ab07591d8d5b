"""What `--help` says, and how little it loads to say it."""

import json
import subprocess
import sys

from syrupy.assertion import SnapshotAssertion

from alliage.faces.cli.main import app
from tests.faces.shell import environment

_ALL = """
import json
from typer.testing import CliRunner
from alliage.faces.cli.main import app
names = [each.name or each.callback.__name__ for each in app.registered_commands]
asked = [[], *([each] for each in names)]
asked += [["key"], *(["key", each] for each in ("create", "list", "show", "set", "revoke"))]
asked += [["project"], *(["project", each] for each in ("list", "show", "set", "drop"))]
asked += [["limit"], *(["limit", each] for each in ("list", "show"))]
asked += [["tenant"], *(["tenant", each] for each in ("list", "show", "set", "drop"))]
asked += [["usage"], *(["usage", each] for each in ("records", "show", "correct"))]
asked += [["price"], *(["price", each] for each in ("list", "set", "drop"))]
asked += [["replay"], ["replay", "openb"], ["replay", "stress"]]
asked += [["node"], *(["node", each] for each in ("list", "show", "cordon", "drain", "uncordon", "forget"))]
asked += [["device"], *(["device", each] for each in ("list", "cordon", "drain", "uncordon"))]
run = CliRunner().invoke
print(json.dumps({" ".join(each): run(app, [*each, "--help"], prog_name="alliage").output for each in asked}))
"""

_LOADED = """
import contextlib, io, json, sys
from alliage.faces.cli.main import main
sys.argv = ["alliage", *sys.argv[1:]]
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main()
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
HEAVY = {
    "fastapi",
    "starlette",
    "uvicorn",
    "sqlalchemy",
    "alembic",
    "numpy",
    "numba",
    "matplotlib",
    "httpx2",
    "pydantic",
    "pydantic_core",
    "huggingface_hub",
    "structlog",
    "msgspec",
    "asyncio",
    "prometheus_client",
}


def _python(code: str, *arguments: str) -> str:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=environment()).stdout


def test_help_of_every_command(snapshot: SnapshotAssertion) -> None:
    """Every command has a sentence, its options and an example; a change of any of them is seen here."""
    texts: dict[str, str] = json.loads(_python(_ALL))
    assert {name: text.splitlines() for name, text in texts.items()} == snapshot
    for name, text in texts.items():
        assert name == "" or "Example: " in text, name
        assert " alliage " in text


def test_help_loads_nothing_heavy() -> None:
    """`alliage --help` loads neither the web framework, the store, NumPy, Pydantic nor the HTTP client.

    The help of one command may load Pydantic: Typer itself reads options with it where it is installed.
    """
    by_typer = {"pydantic", "pydantic_core", "asyncio"}
    for arguments in (
        ["--help"],
        ["key", "create", "--help"],
        ["tenant", "set", "--help"],
        ["limit", "--help"],
        ["usage", "records", "--help"],
        ["deploy", "--help"],
        ["up", "--help"],
        ["replay", "openb", "--help"],
    ):
        allowed = set() if arguments == ["--help"] else by_typer
        assert HEAVY & set(json.loads(_python(_LOADED, *arguments))) <= allowed


def test_the_commands_of_the_issue_are_there() -> None:
    """The names that users were promised."""
    names = {each.name or getattr(each.callback, "__name__", "") for each in app.registered_commands}
    assert names >= {"up", "down", "status", "deploy", "services", "replicas", "nodes", "models"}
    assert names >= {"logs", "explain", "delete", "chat"}
    groups = ["tenant", "project", "key", "keys", "limit", "usage", "price", "node", "device", "replay"]
    assert [each.name for each in app.registered_groups] == groups
    assert [each.name for each in app.registered_groups if each.hidden is True] == ["keys"]
