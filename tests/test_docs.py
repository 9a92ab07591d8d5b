"""The documents say what is there: every setting, command and flag, with its default."""

import re
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

import pytest
from typer.main import get_command

from alliage.app.config import Settings
from alliage.faces.cli.main import app

ROOT = Path(__file__).parent.parent
_COMMON = {"--name", "--dry-run", "--remote-code", "--wait", "--timeout"}
SETTINGS = (ROOT / "docs" / "settings.md").read_text()


@pytest.mark.parametrize("section", [section.name for section in fields(Settings) if section.name != "prices"])
def test_every_setting_is_documented_with_its_default(section: str) -> None:
    """A row for each field, none for what is not there."""
    told = SETTINGS.split(f"## `[{section}]`")[1].split("\n## ")[0].split("\nYour own facts")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| `?(.*?)`? \|", told, flags=re.MULTILINE))
    known = {field.name: field.default for field in fields(get_type_hints(Settings)[section])}
    assert rows.keys() == known.keys()
    for name, default in known.items():
        if name != "python":
            text = f'"{default}"' if isinstance(default, str) else str(default).lower().replace("()", "[]")
            assert rows[name] == text, name


def test_every_option_of_up_is_documented() -> None:
    """`alliage up` is configured by flags, which stand in the table at the top."""
    command = get_command(app).commands["up"]  # type: ignore[attr-defined]
    flags = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
    assert flags <= set(re.findall(r"--[a-z-]+", SETTINGS)) | {"--help"}


@pytest.mark.parametrize(
    ("command", "page", "spared"),
    [
        ("tenant set", "tenants.md", set()),
        ("tenant set", "limits.md", {"--tier", "--weight", "--guarantee", "--budget", "--log-prompts", "--dry-run"}),
        ("project set", "limits.md", set()),
        ("key create", "tenants.md", set()),
        ("key set", "tenants.md", set()),
        ("deploy", "tenants.md", _COMMON),
    ],
)
def test_every_option_is_documented(command: str, page: str, spared: set[str]) -> None:
    """Options of these commands stand in their page, but those that say nothing of what is asked."""
    found = get_command(app)
    for name in command.split():
        found = found.commands[name]  # type: ignore[attr-defined]
    flags = {option for parameter in found.params for option in parameter.opts if option.startswith("--")}
    told = set(re.findall(r"--[a-z-]+", (ROOT / "docs" / page).read_text()))
    assert flags - {"--home", "--json"} - spared <= told


@pytest.mark.parametrize(("group", "page"), [("project", "tenants.md"), ("key", "tenants.md"), ("limit", "limits.md")])
def test_every_word_about_tenants_is_documented(group: str, page: str) -> None:
    """Each command of these groups stands in its page as one would type it."""
    told = (ROOT / "docs" / page).read_text()
    for name in get_command(app).commands[group].commands:  # type: ignore[attr-defined]
        assert f"alliage {group} {name}" in told, name


@pytest.mark.parametrize("command", ["usage", "usage records", "usage correct", "bill", "price set"])
def test_every_option_of_the_books_is_documented(command: str) -> None:
    """Options of these commands stand in docs/usage.md."""
    found = get_command(app)
    for name in command.split():
        found = found.commands[name]  # type: ignore[attr-defined]
    flags = {option for parameter in found.params for option in parameter.opts if option.startswith("--")}
    assert flags - {"--home"} <= set(re.findall(r"--[a-z-]+", (ROOT / "docs" / "usage.md").read_text()))


@pytest.mark.parametrize("group", ["node", "device"])
def test_every_word_about_nodes_and_devices_is_documented(group: str) -> None:
    """What `alliage node` and `alliage device` can do stands in their page."""
    told = (ROOT / "docs" / "nodes.md").read_text()
    for name in get_command(app).commands[group].commands:  # type: ignore[attr-defined]
        assert re.search(rf"alliage {group} [^\n`]*\b{name}\b|\b{name}\b[^\n]*NODE/DEVICE|\b{group} {name}\b", told), (
            name
        )


def test_readme_shows_only_commands_that_exist() -> None:
    """Every `alliage X` of the README is a command."""
    told = set(re.findall(r"\balliage ([a-z]+)\b", (ROOT / "README.md").read_text()))
    assert told <= set(get_command(app).commands)  # type: ignore[attr-defined]


def test_links_between_documents_lead_somewhere() -> None:
    """Relative links of the Markdown files."""
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "bench" / "README.md"]:
        for link in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / link).exists(), f"{document.name}: {link}"
