"""`top`: ask, draw, wait, again; or once."""

import time
from pathlib import Path
from typing import Final

from rich.console import Console, Group
from rich.live import Live

from alliage.errors import BadInput, NotRunning, Unavailable
from alliage.faces.admin.top_answers import TopAnswer
from alliage.faces.cli.client import AdminClient, parse
from alliage.faces.cli.place import find_place
from alliage.faces.cli.screen import show, show_json, stdout
from alliage.faces.cli.tables import ago
from alliage.faces.cli.top_view import frame

INTERVAL_S_LEAST: Final = 0.2
EVENTS: Final = 50


def top(home: Path, *, once: bool, interval_s: float, as_json: bool) -> None:
    """The cloud as it goes; one frame with `once` or where the output is no terminal. Raises BadInput for a haste."""
    if interval_s < INTERVAL_S_LEAST:
        raise BadInput(f"an interval of {interval_s:g} s", remedy=f"give {INTERVAL_S_LEAST:g} s at least (--interval)")
    console = stdout()
    with AdminClient(find_place(home)) as client:
        raw = client.get("top", events=EVENTS)
        if as_json:
            show_json(raw)
        elif once or not console.is_terminal or console.is_dumb_terminal:
            show(*frame(parse(TopAnswer, raw), width=console.width, height=None))
        else:
            _follow(client, console, parse(TopAnswer, raw), interval_s)


def _follow(client: AdminClient, console: Console, seen: TopAnswer, interval_s: float) -> None:
    """Until Ctrl-C. While control is away the last frame stays, and says so."""
    heard_s, trouble = time.monotonic(), ""
    with Live(console=console, screen=True, auto_refresh=False) as live:
        try:
            while True:
                lines = frame(seen, width=console.width, height=console.height, trouble=trouble)
                live.update(Group(*lines), refresh=True)
                time.sleep(interval_s)
                try:
                    seen = parse(TopAnswer, client.get("top", events=EVENTS))
                    heard_s, trouble = time.monotonic(), ""
                except (NotRunning, Unavailable):
                    trouble = (
                        f"control has not answered for {ago(time.monotonic() - heard_s)}; this is what it said last"
                    )
        except KeyboardInterrupt:
            return
