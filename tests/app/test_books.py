"""Control as it is put together: usage that a gateway tells over the control socket is in the ledger before it is answered."""

import asyncio
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from alliage.app.clock import SystemClock
from alliage.app.config import LedgerSettings, Settings
from alliage.app.control import ControlSystem, build_control
from alliage.app.home import Home, open_home
from alliage.errors import BadInput
from alliage.fleet.limits import tenant_scope
from alliage.ledger.periods import parse_month
from alliage.ledger.statements import By
from alliage.link.line import dial
from alliage.link.messages import PROTOCOL, GatewayHello, NewTable, UsageTaken, UsageTold
from alliage.store.sql import open_store
from tests.ledger.builders import NOVEMBER_S, PRICE, a_price, a_record
from tests.link.telling import told


def _control(home: Home, currency: str = "CNY") -> ControlSystem:
    settings = replace(Settings(), ledger=LedgerSettings(currency=currency))
    return build_control(home, settings, SystemClock(), new_id=lambda: "000001")


async def _tell(home: Home, system: ControlSystem, usage: UsageTold) -> UsageTaken:
    """The answer, and control has left."""
    async with system.running(home.control_socket):
        line = await dial(home.control_socket)
        line.send(GatewayHello(protocol=PROTOCOL, door="d"))
        line.send(usage)
        while isinstance(message := await line.receive(), NewTable):
            pass
        line.close()
    assert isinstance(message, UsageTaken)
    return message


def test_usage_is_told_taken_and_still_there(tmp_path: Path) -> None:
    """Told to one control and again to the next, which began anew: on the bill once, and counted as spent."""
    home = open_home(tmp_path / "home")
    both = told(7, a_record("j-1"), a_record("j-2"))
    taken = UsageTaken(journal="j", number=7, upto=len(both.entries), records=2)
    with closing(open_store(home.database)) as store:
        store.books().list_prices([a_price("qwen3-8b", from_s=1.0)])
    for _ in range(2):
        system = _control(home)
        assert asyncio.run(_tell(home, system, both)) == taken
    with pytest.raises(BadInput, match="currency is USD"):
        _control(home, "USD")
    again = _control(home)
    try:
        usage = asyncio.run(again.books.usage(tenant="acme", month=parse_month("2026-11"), by=By.CHIP))
        assert (usage.total.requests, usage.lines[0].name) == (2, "nvidia-h20")
        assert again.books.prices()[0].price == PRICE
        spent = again.books.spent_micros(tenant_scope("acme"), NOVEMBER_S)
        assert spent == usage.total.charged_micros == 888
    finally:
        again.books.close()
        again.store.close()
