"""What a gateway process remembers of its clients' keys."""

import asyncio

from alliage.fleet.routing import KeyEntry
from alliage.gateway.door import Door
from alliage.gateway.limits import GatewayLimits
from alliage.gateway.request import sane_id
from alliage.units import KIB
from tests.gateway.house import KEY, run, table


def test_a_key_is_remembered_as_it_is_usually_written() -> None:
    """Spellings of one key are all let in, but the padded and the long are not kept."""

    async def main() -> None:
        door, long = Door(asyncio.get_running_loop(), GatewayLimits()), "k" * 300
        door.take_table(table(1, keys=(KEY, long)))
        for spaces in range(1, 1000):
            assert isinstance(door.who(b"Bearer%b%b" % (b" " * spaces, KEY.encode())), KeyEntry)
            assert isinstance(door.who(b"bearer %b%b" % (KEY.encode(), b" " * spaces)), KeyEntry)
        assert isinstance(door.who(b"Bearer %b" % long.encode()), KeyEntry)
        assert sum(map(len, door._remembered)) < KIB
        assert list(door._remembered) == [b"Bearer %b" % KEY.encode()]

    run(main())


def test_request_ids_are_given_once() -> None:
    """No two are the same, of one process or of two, and each may be sent by a client."""

    async def main() -> None:
        doors = [Door(asyncio.get_running_loop(), GatewayLimits()) for _ in range(2)]
        ids = [door.next_id() for _ in range(1000) for door in doors]
        assert len(set(ids)) == 2000
        assert all(sane_id(each) == each for each in ids)

    run(main())
