"""Limits at the gateway: what is let in, what is said to the rest, and what happens when control is away."""

import asyncio
import hashlib
from dataclasses import replace

from alliage.fleet.ids import KeyId
from alliage.fleet.keys import Role
from alliage.fleet.limits import Lease, Limits, Scope, Use, key_scope, tenant_scope
from alliage.fleet.prices import TokenPrice
from alliage.fleet.routing import KeyEntry, RoutingTable
from alliage.gateway.limits import GatewayLimits
from tests.gateway.house import KEY, Answer, House, chat_body, house, post, route, run, table, until, upstream
from tests.gateway.upstream import Call, Engine, chat

HOUSE = tenant_scope("house")
_QUICK = GatewayLimits(drain_s=2.0, heartbeat_s=0.05)
OWN = key_scope("k")


def limited(base: RoutingTable, limits: Limits, scope: Scope = HOUSE) -> RoutingTable:
    """The table with these limits of the one key's tenant, or of another scope of it."""
    entry = KeyEntry(key=KeyId("k"), tenant="house", role=Role.USER, scopes=(OWN, HOUSE))
    keys = {hashlib.sha256(KEY.encode()).hexdigest(): entry}
    return replace(base, keys=keys, limits={**base.limits, scope: limits})


def _routes(engine: Engine, concurrency: int = 8) -> RoutingTable:
    price = TokenPrice(prompt_micros=1_000_000, output_micros=10_000_000)
    return table(1, replace(route("m", upstream("m-1", engine.port, concurrency)), price=price))


def _priced_and_free(engine: Engine) -> RoutingTable:
    """Beside `m` a service that costs nothing."""
    free = route("free", upstream("f-1", engine.port))
    base = _routes(engine)
    return replace(base, routes={**base.routes, free.service: free})


async def _used(place: House, scope: Scope = HOUSE) -> Use:
    """What the gateway told last of a scope."""
    await place.control.counts_again()
    return (place.control.counted.use or {}).get(scope, Use())


def test_requests_a_minute() -> None:
    """So many go, with headers that count down; the next is told which limit of whom it is, and when it resets."""

    async def main() -> None:
        async with Engine() as engine, house(limited(_routes(engine), Limits(requests_per_minute=3)), _QUICK) as place:
            await place.control.lease({HOUSE: Lease(requests_per_minute=3.0)})
            answers = [await place.chat() for _ in range(3)]
            assert [answer.status for answer in answers] == [200, 200, 200]
            assert [answer.headers["x-ratelimit-remaining-requests"] for answer in answers] == ["2", "1", "0"]
            assert answers[0].headers["x-ratelimit-limit-requests"] == "3"
            assert "x-ratelimit-limit-tokens" not in answers[0].headers
            refused = await place.chat()
            assert (refused.status, refused.code, refused.json["error"]["type"]) == (
                429,
                "rate_limit_exceeded",
                "requests",
            )
            assert "requests_per_minute of tenant:house is 3" in refused.json["error"]["message"]
            assert 1 <= int(refused.headers["retry-after"]) <= 20
            assert refused.headers["x-ratelimit-remaining-requests"] == "0"
            assert len(engine.calls) == 3
            used = await _used(place)
            assert (used.requests, used.tokens, used.refused, used.parallel) == (3, 24, 1, 0)

    run(main())


def test_tokens_a_minute_are_settled_with_what_the_engine_told() -> None:
    """What was taken for the prompt's bytes and the answer asked for is given back but for the 8 tokens that it had."""

    async def main() -> None:
        async with Engine() as engine, house(limited(_routes(engine), Limits(tokens_per_minute=100)), _QUICK) as place:
            await place.control.lease({HOUSE: Lease(tokens_per_minute=100.0)})
            large = await place.chat(user="long " * 120)
            assert large.status == 429
            assert "never fits" in large.json["error"]["message"]
            assert large.headers["x-should-retry"] == "false"
            first = await place.chat(max_tokens=50)
            assert first.status == 200
            expected = 100 - int(first.headers["x-ratelimit-remaining-tokens"])
            assert 55 <= expected <= 80  # a prompt of about 10 to 25 tokens, by its bytes
            answers = [await place.chat(max_tokens=5)]
            assert int(answers[0].headers["x-ratelimit-remaining-tokens"]) >= 100 - 8 - expected
            while answers[-1].status == 200 and len(answers) < 1000:
                answers.append(await place.chat(max_tokens=5))
            refused = answers[-1]
            assert len(answers) >= 6
            assert (refused.status, refused.json["error"]["type"]) == (429, "tokens")
            assert "tokens_per_minute of tenant:house is 100" in refused.json["error"]["message"]

    run(main())


def test_the_tightest_of_all_scopes_counts() -> None:
    """A key within its own limit is refused by its tenant's, and nothing is taken of its own then."""

    async def main() -> None:
        async with Engine() as engine:
            first = limited(_routes(engine), Limits(requests_per_minute=5), OWN)
            async with house(limited(first, Limits(requests_per_minute=2)), _QUICK) as place:
                await place.control.lease({OWN: Lease(requests_per_minute=5.0), HOUSE: Lease(requests_per_minute=2.0)})
                answers = [await place.chat() for _ in range(4)]
                assert [answer.status for answer in answers] == [200, 200, 429, 429]
                assert answers[1].headers["x-ratelimit-limit-requests"] == "2"
                assert "tenant:house" in answers[2].json["error"]["message"]
                used = await _used(place, OWN)
                assert (used.requests, used.refused) == (2, 0)

    run(main())


def test_models_and_context_need_no_lease() -> None:
    """A model that is not allowed is a 403, a request that may grow too long a 400, both naming limit and scope."""

    async def main() -> None:
        limits = Limits(models=("other",), context_tokens=100)
        async with Engine() as engine, house(limited(_routes(engine), limits)) as place:
            refused = await place.chat()
            assert (refused.status, refused.code) == (403, "model_not_allowed")
            assert "tenant:house; allowed are: other" in refused.json["error"]["message"]
            await place.control.swap(replace(limited(_routes(engine), Limits(context_tokens=100)), version=2))
            assert (await place.chat(max_tokens=50)).status == 200
            refused = await place.chat(max_completion_tokens=99)
            assert (refused.status, refused.code) == (400, "context_length_exceeded")
            assert "context_tokens of tenant:house is 100" in refused.json["error"]["message"]
            assert len(engine.calls) == 1

    run(main())


def test_parallel_requests() -> None:
    """One more than may be in work is refused, whoever leaves makes room."""

    async def main() -> None:
        async def wait(call: Call) -> None:
            await call.gone.wait()

        async with Engine(wait) as engine, house(limited(_routes(engine), Limits(parallel=2)), _QUICK) as place:
            await place.control.lease({HOUSE: Lease(parallel=2)})
            wires = [await place.dial() for _ in range(2)]
            for wire in wires:
                await wire.send(post(chat_body()))
            await until(lambda: len(engine.calls) == 2, "both are in work")
            refused = await place.chat()
            assert refused.status == 429
            assert "parallel of tenant:house is 2" in refused.json["error"]["message"]
            assert (await _used(place)).parallel == 2
            wires[0].writer.close()
            await until(lambda: any(call.gone.is_set() for call in engine.calls), "its engine was told")
            engine.behave = chat
            assert (await place.chat()).status == 200

    run(main())


def test_money() -> None:
    """It goes on until the lease is used up by what the engine told; a request that would cost more than is left is refused."""

    async def main() -> None:
        limits = Limits(day_micros=200)
        async with Engine() as engine, house(limited(_routes(engine), limits), _QUICK) as place:
            lease = Lease(spend_until_micros=200, limit="day", resets_s=4e9)
            await place.control.lease({HOUSE: lease})
            assert (await place.chat(max_tokens=5)).status == 200  # 3 + 5 x 10
            assert (await place.chat(max_tokens=5)).status == 200
            refused = await place.chat(max_tokens=20)
            assert (refused.status, refused.code, refused.json["error"]["type"]) == (
                429,
                "insufficient_quota",
                "insufficient_quota",
            )
            told = refused.json["error"]["message"]
            assert "day_micros of tenant:house is 200" in told
            assert "94 are left here; it resets at 2096-10-02" in told
            assert refused.headers["x-should-retry"] == "false"
            assert (await _used(place)).micros == 106
            spent = limited(replace(_priced_and_free(engine), version=2), limits)
            await place.control.swap(spent)
            await place.control.lease({HOUSE: replace(lease, spend_until_micros=106)})
            assert (await place.chat(max_tokens=5)).status == 429
            assert (await place.chat("free")).status == 200  # what costs nothing is not a matter of money

    run(main())


def test_with_control_away_the_last_lease_holds() -> None:
    """Rates go on at it; money stops at it, or at the overdraft that the settings allow."""

    async def main() -> None:
        settings = GatewayLimits(drain_s=2.0, overdraft_micros=90)
        limits = Limits(requests_per_minute=3, day_micros=60)
        async with Engine() as engine, house(limited(_priced_and_free(engine), limits), settings) as place:
            await place.control.lease({HOUSE: Lease(requests_per_minute=3.0, spend_until_micros=60, limit="day")})
            assert (await place.chat(max_tokens=1)).status == 200  # 53 of 60
            assert (await place.chat(max_tokens=1)).status == 429
            await place.control.stop()
            await _away(place)
            assert (await place.chat(max_tokens=1)).status == 200  # 106 of 150
            refused = await place.chat(max_tokens=5)
            assert (refused.status, refused.code) == (429, "insufficient_quota")
            answers = [await place.chat("free") for _ in range(2)]
            assert [answer.status for answer in answers] == [200, 429]
            assert answers[-1].code == "rate_limit_exceeded"
            await place.control.start()
            await until(lambda: bool(place.control.reports), "control is back")

    run(main())


async def _away(place: House) -> None:
    deadline_s = asyncio.get_running_loop().time() + 10
    while (told := await place.health())["control"] != "away":
        assert asyncio.get_running_loop().time() < deadline_s, told


def test_keys_without_limits_see_nothing_of_this() -> None:
    """No headers, no use."""

    async def main() -> None:
        async with Engine() as engine, house(_routes(engine), _QUICK) as place:
            answer: Answer = await place.chat()
            assert answer.status == 200
            assert not [name for name in answer.headers if name.startswith("x-ratelimit")]
            await place.control.counts_again()
            assert set(place.control.counted.use or {}) == {"service:m"}

    run(main())


def test_what_no_engine_was_asked_for_is_given_back() -> None:
    """A request that waits for a start and leaves takes nothing of the tokens; one that an engine failed takes none either."""

    async def main() -> None:
        async def fail(call: Call) -> None:
            call.cut()

        async with Engine(fail) as engine:
            starting = limited(table(1, route("m", waiting="soon")), Limits(tokens_per_minute=1000))
            async with house(starting, _QUICK) as place:
                await place.control.lease({HOUSE: Lease(tokens_per_minute=1000.0)})
                wire = await place.dial()
                await wire.send(post(chat_body(max_tokens=900)))
                await place.holds(1)
                wire.writer.close()
                await place.at_rest()
                served = replace(limited(_routes(engine), Limits(tokens_per_minute=1000)), version=2)
                await place.control.swap(served)
                assert (await place.chat(max_tokens=900)).status == 502
                engine.behave = chat
                assert (await place.chat(max_tokens=900)).status == 200
                used = await _used(place)
                assert (used.requests, used.tokens) == (3, 8)

    run(main())
