"""Metrics of several gateway processes behind one port: whoever is asked tells all, and nothing goes back."""

import os
import time
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from alliage.fleet.ids import KeyId
from alliage.fleet.keys import Role
from alliage.fleet.routing import KeyEntry
from alliage.gateway.exposition import Exposition, labels_of
from alliage.gateway.limits import GatewayLimits
from alliage.gateway.siblings import Siblings, together
from tests.gateway.house import KEY, House, get, house, route, run, table, until, upstream
from tests.gateway.upstream import Engine

_QUICK = GatewayLimits(linger_s=0.1, drain_s=2)
"""Looks at deadlines often."""


def _text(gateway: str, number: int) -> bytes:
    out = Exposition()
    out.family("things_total", "counter", "how many")
    out.sample(labels_of(gateway=gateway), number)
    out.family("seconds", "histogram", "how long")
    out.histogram(labels_of(gateway=gateway), ("1", "+Inf"), (number, 0), 0.5)
    return out.encode()


def _age(path: Path, seconds: float) -> None:
    then_s = time.time() - seconds
    os.utime(path, (then_s, then_s))


def test_several_texts_are_one() -> None:
    """Each family comes once, as Prometheus' format demands, with the samples of all."""
    text = together((_text("a", 1), _text("b", 2), b""))
    assert text.count(b"# TYPE things_total counter\n") == 1
    families = {family.name: family for family in text_string_to_metric_families(text.decode())}
    assert {sample.labels["gateway"]: sample.value for sample in families["things"].samples} == {"a": 1, "b": 2}
    assert len(families["seconds"].samples) == 8
    assert together((_text("a", 1),)) == _text("a", 1)


def test_whoever_is_asked_tells_what_the_others_wrote(tmp_path: Path) -> None:
    """The stamp is seen by all once, files are for nobody else's eyes, and one that leaves is not told any more."""
    one, two = Siblings(tmp_path / "metrics", "one"), Siblings(tmp_path / "metrics", "two")
    assert not one.is_asked()
    one.ask()
    assert one.is_asked()
    assert two.is_asked()
    one.tell(b"1")
    two.tell(b"2")
    assert not two.is_asked()
    assert one.others() == [b"2"]
    assert two.others() == [b"1"]
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "metrics").iterdir()} == {0o600}
    two.leave()
    assert one.others() == []


def test_one_that_died_is_forgotten(tmp_path: Path) -> None:
    """It did not write after a stamp that is older than it may take; a younger stamp says nothing yet."""
    one, dead = Siblings(tmp_path, "one"), Siblings(tmp_path, "dead")
    dead.tell(b"d")
    _age(tmp_path / "dead.prom", 20)
    one.ask()
    assert one.others() == [b"d"]
    _age(tmp_path / "asked", 10)
    assert one.others() == []
    assert not (tmp_path / "dead.prom").exists()
    dead.tell(b"d")
    _age(tmp_path / "dead.prom", 400)
    one.ask()
    assert one.others() == []


def test_two_gateways_tell_both_ones_metrics(tmp_path: Path) -> None:
    """To an admin, whichever is asked; a key of another role is told of the one that answers."""

    async def main() -> None:
        users = "of-a-user"
        async with Engine() as engine:
            first = table(1, route("m", upstream("m-1", engine.port)), role=Role.ADMIN)
            user = KeyEntry(key=KeyId("u"), tenant="mill", role=Role.USER)
            first = replace(first, keys={**first.keys, sha256(users.encode()).hexdigest(): user})
            async with (
                house(first, _QUICK, name="gateway-1", metrics=tmp_path) as one,
                house(first, _QUICK, name="gateway-2", metrics=tmp_path) as two,
            ):
                await one.chat()
                assert await _requests(one) == {"gateway-1": 1}
                await until(lambda: len(list(tmp_path.glob("*.prom"))) == 2, "both wrote theirs down")
                await two.chat()
                assert await _requests(two) == {"gateway-1": 1, "gateway-2": 1}
                assert await _requests(two, users) == {}
            assert not list(tmp_path.glob("*.prom"))

    run(main())


async def _requests(place: House, key: str = KEY) -> dict[str, float]:
    """Requests for the service by gateway, as this one tells."""
    text = (await place.ask(get("/metrics", key=key))).body.decode()
    return {
        sample.labels["gateway"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "alliage_gateway_requests_total" and sample.labels["service"] == "m"
    }


def test_a_folder_that_cannot_be_used_costs_the_others_only(tmp_path: Path) -> None:
    """A file stands where the folder should be: nothing raises, nobody is told."""
    (tmp_path / "file").write_text("")
    alone = Siblings(tmp_path / "file", "alone")
    alone.ask()
    alone.tell(b"x")
    alone.leave()
    assert not alone.is_asked()
    assert alone.others() == []
