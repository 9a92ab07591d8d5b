"""Settings: defaults, the file, and what is wrong in it."""

from pathlib import Path

import pytest

from alliage.app.config import Settings, read_settings
from alliage.app.home import Home, open_home
from alliage.errors import BadInput


def home_with(folder: Path, text: str) -> Home:
    """A home with that settings file."""
    home = open_home(folder / "home")
    home.settings.write_text(text)
    return home


def test_no_file_means_the_defaults(tmp_path: Path) -> None:
    """Nothing has to be set."""
    assert read_settings(open_home(tmp_path / "home")) == Settings()


def test_file_changes_what_it_names(tmp_path: Path) -> None:
    """And nothing else."""
    home = home_with(
        tmp_path, "[gateway]\nhold_s = 1\noverdraft_micros = 0\n[agent]\nllama_server = 'path'\ntags = ['state']\n"
    )
    settings = read_settings(home)
    assert settings.gateway.hold_s == 1.0
    assert settings.gateway.overdraft_micros == 0
    assert settings.agent.llama_server == "path"
    assert (settings.agent.region, settings.agent.tags) == ("", ("state",))
    assert settings.control == Settings().control


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[gateway]\nhold_s = 'long'", ("gateway", "hold_s", "long")),
        ("[gateway]\noverdraft_micros = -1", ("gateway", "overdraft_micros", "-1")),
        ("[gateway]\nholds = 1", ("gateway", "holds", "hold_s")),
        ("[doors]\n", ("doors", "gateway")),
        ("[control]\ntick_s = 0", ("control", "tick_s", "0")),
        ("[control]\ntick_s = -1.0", ("control", "tick_s", "-1")),
        ("[control]\ntick_s = nan", ("control", "tick_s", "nan")),
        ("[agent]\nlog_files = 1.5", ("agent", "log_files", "1.5")),
        ("[ledger]\ncurrency = 'yuan'", ("ledger", "currency", "yuan", "CNY")),
        ("gateway = 3", ("gateway", "3")),
        ("[gateway", ("alliage.toml",)),
        ("\x00", ("alliage.toml",)),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    """File, section, field and value."""
    with pytest.raises(BadInput) as caught:
        read_settings(home_with(tmp_path, text))
    for word in words:
        assert word in str(caught.value)
