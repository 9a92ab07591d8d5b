"""What metrics are made of: told apart by service, tenant and chip, and never more than stated."""

from dataclasses import replace
from hashlib import sha256

from prometheus_client.parser import text_string_to_metric_families

from alliage.fleet.ids import KeyId, ServiceName
from alliage.fleet.keys import Role
from alliage.fleet.prices import TokenPrice
from alliage.fleet.routing import KeyEntry
from alliage.fleet.usage import Origin
from alliage.gateway.exposition import Exposition, labels_of
from alliage.gateway.sums import OTHER, SUMS_MAX, TENANTS_MAX, Parties, Times
from tests.gateway.house import KEY, House, chat_body, get, house, post, route, run, table, until, upstream
from tests.gateway.upstream import Call, Engine

_OTHERS_KEY = "another-house"
_ADMINS_KEY = "an-admin"


def _key(secret: str, tenant: str, role: Role = Role.USER) -> dict[str, KeyEntry]:
    return {sha256(secret.encode()).hexdigest(): KeyEntry(key=KeyId(secret), tenant=tenant, role=role)}


async def _samples(place: House, key: str = KEY) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels, by their names' order, without the gateway's."""
    text = (await place.ask(get("/metrics", key=key))).body.decode()
    return {
        (sample.name, *(value for name, value in sorted(sample.labels.items()) if name != "gateway")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_each_request_is_its_services_tenants_and_chips() -> None:
    """Two tenants ask for one service that is on two chips; money is of the tokens at the route's price.

    A tenant is shown none of another's figures.
    """

    async def main() -> None:
        async with Engine() as engine:
            one = replace(upstream("m-1", engine.port), origin=Origin(chip="nvidia-h20"))
            two = replace(upstream("m-2", engine.port), origin=Origin(chip="cpu-x86"))
            price = TokenPrice(prompt_micros=2_000_000, output_micros=4_000_000)
            first = table(1, replace(route("m", one), price=price))
            first = replace(
                first, keys={**first.keys, **_key(_OTHERS_KEY, "mill"), **_key(_ADMINS_KEY, "it", Role.ADMIN)}
            )
            async with house(first) as place:
                await place.chat()
                await place.control.swap(
                    replace(first, version=2, routes={ServiceName("m"): replace(route("m", two), price=price)})
                )
                for key in (KEY, _OTHERS_KEY, _OTHERS_KEY):
                    assert (await place.ask(post(chat_body(), key=key))).status == 200
                seen = await _samples(place, _ADMINS_KEY)
                requests = "alliage_gateway_requests_total"
                assert seen[requests, "nvidia-h20", "m", "200", "house"] == 1
                assert seen[requests, "cpu-x86", "m", "200", "house"] == 1
                assert seen[requests, "cpu-x86", "m", "200", "mill"] == 2
                assert seen["gen_ai_server_request_duration_seconds_count", "cpu-x86", "m", "mill"] == 2
                assert seen["alliage_gateway_tokens_total", "cpu-x86", "output", "m", "mill"] == 10
                assert seen["alliage_gateway_spent_micros_total", "cpu-x86", "m", "mill"] == 2 * (3 * 2 + 5 * 4)
                assert any("house" in key for key in seen)
                assert not any("house" in key for key in await _samples(place, _OTHERS_KEY))

    run(main())


def test_waiting_and_running_are_told_while_they_last() -> None:
    """A request waits until a replica is asked, runs until it ends, and is neither after that, however it ended."""

    async def main() -> None:
        async def silent(call: Call) -> None:
            await call.gone.wait()

        async with Engine(silent) as engine, house(table(1, route("m", waiting="it starts"))) as place:
            wire = await place.dial()
            await wire.send(post(chat_body()))
            await place.holds(1)
            seen = await place.metrics()
            assert seen['alliage_gateway_num_requests_waiting{service="m"}'] == 1
            assert seen['alliage_gateway_num_requests_running{service="m"}'] == 0
            await place.control.swap(table(2, route("m", upstream("m-1", engine.port))))
            await until(lambda: len(engine.calls) == 1, "the engine was asked")
            seen = await place.metrics()
            assert seen['alliage_gateway_num_requests_waiting{service="m"}'] == 0
            assert seen['alliage_gateway_num_requests_running{service="m"}'] == 1
            assert seen['alliage_gateway_request_queue_time_seconds_count{service="m"}'] == 1
            wire.writer.close()
            await place.at_rest()
            seen = await place.metrics()
            assert seen['alliage_gateway_num_requests_running{service="m"}'] == 0
            assert seen['alliage_gateway_requests_total{service="m",status="499"}'] == 1

    run(main())


def test_who_leaves_while_it_waits_waits_no_longer() -> None:
    """A held request whose client goes, and one that is told no at the end."""

    async def main() -> None:
        async with house(table(1, route("m", waiting="it starts"))) as place:
            wire = await place.dial()
            await wire.send(post(chat_body()))
            await place.holds(1)
            wire.writer.close()
            await place.holds(0)
            assert (await place.metrics())['alliage_gateway_num_requests_waiting{service="m"}'] == 0
            await place.control.swap(table(2, route("m", refusal="no chip fits")))
            assert (await place.chat()).status == 503
            seen = await place.metrics()
            assert seen['alliage_gateway_num_requests_waiting{service="m"}'] == 0
            assert seen['alliage_gateway_refused_total{reason="service_unavailable",service="m"}'] == 1

    run(main())


def test_a_wrong_key_is_refused_and_counted() -> None:
    """By its code: what an alert on key guessing goes by."""

    async def main() -> None:
        async with house(table(1)) as place:
            for _ in range(3):
                assert (await place.ask(post(chat_body(), key="guessed"))).status == 401
            seen = await place.metrics()
            assert seen['alliage_gateway_refused_total{reason="invalid_api_key",service=""}'] == 3
            assert seen['alliage_gateway_requests_total{service="",status="401"}'] == 3

    run(main())


def test_tenants_and_combinations_are_bounded() -> None:
    """The first are told apart; whoever comes later is counted under `other`, and nothing is lost."""
    parties = Parties()
    for number in range(3 * TENANTS_MAX):
        parties.of("m", f"tenant-{number}").on("chip").ended(200)
    sums = {each.tenant: each.statuses[200] for each in parties.all_sums()}
    assert len(sums) == TENANTS_MAX + 1
    assert sums[OTHER] == 2 * TENANTS_MAX
    for number in range(2 * SUMS_MAX):
        parties.of(f"service-{number}", "tenant-0").on("chip").ended(200)
    assert len(parties.all_sums()) == SUMS_MAX + 1
    assert sum(each.statuses[200] for each in parties.all_sums()) == 3 * TENANTS_MAX + 2 * SUMS_MAX


def test_what_left_the_table_is_forgotten_once_it_rests() -> None:
    """A service's sums go with it, but not while a request of it runs."""
    parties = Parties()
    busy, idle = parties.of("busy", "a").on("chip"), parties.of("idle", "a").on("chip")
    busy.running = 1
    parties.forget(services=("other-service",))
    assert list(parties.all_sums()) == [busy]
    busy.running = 0
    parties.forget(services=("busy",))
    assert list(parties.all_sums()) == [busy]
    parties.forget(services=())
    assert not parties.all_sums()
    assert parties.of("idle", "a").on("chip") is not idle


def test_the_text_is_what_prometheus_reads() -> None:
    """Its own parser gets back names, labels with every odd letter, and buckets that add up."""
    times = Times((0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 7.0):
        times.add(seconds)
    out = Exposition()
    out.family("seconds", "histogram", "how long")
    labels = labels_of(service='a "b"\\', tenant="c\nd")
    out.histogram(labels, ("0.1", "1", "+Inf"), times.counts, times.sum_s)
    out.family("things_total", "counter", "how many")
    out.sample(labels, 3)
    histogram, counter = text_string_to_metric_families(out.encode().decode())
    assert histogram.type == "histogram"
    found = {(each.name, each.labels.get("le")): each.value for each in histogram.samples}
    assert found == {
        ("seconds_bucket", "0.1"): 2,
        ("seconds_bucket", "1"): 3,
        ("seconds_bucket", "+Inf"): 4,
        ("seconds_sum", None): 7.65,
        ("seconds_count", None): 4,
    }
    assert counter.samples[0].labels == {"service": 'a "b"\\', "tenant": "c\nd"}
