"""What a gateway process remembers of its clients' keys."""

import asyncio

from alliage.fleet.routing import KeyEntry
from alliage.gateway.door import Door
from alliage.gateway.limits import GatewayLimits
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
