"""X-Alliage-Replica: an admin says which replica answers, so that what is measured can be told of it."""

from alliage.fleet.keys import Role
from tests.gateway.house import chat_body, house, post, route, run, table, upstream
from tests.gateway.upstream import Call, Engine


def asked_of(replica: str) -> bytes:
    """A chat that only this replica may answer."""
    return post(chat_body(), extra=f"X-Alliage-Replica: {replica}\r\n")


def test_an_admin_is_answered_by_the_replica_that_was_named() -> None:
    """All of eight requests, where without the header both replicas take part; the header stays with the gateway."""

    async def main() -> None:
        async with Engine() as one, Engine() as two:
            replicas = (upstream("m-1", one.port), upstream("m-2", two.port))
            async with house(table(1, route("m", *replicas), role=Role.ADMIN)) as place:
                for _ in range(8):
                    assert (await place.ask(asked_of("m-2"))).status == 200
                assert (len(one.calls), len(two.calls)) == (0, 8)
                assert "x-alliage-replica" not in {name.lower() for name in two.calls[0].headers}
                await place.at_rest()

    run(main())


def test_another_role_may_not_choose() -> None:
    """A user who could would pass by how the replicas are shared: refused, and no engine hears of it."""

    async def main() -> None:
        async with Engine() as engine, house(table(1, route("m", upstream("m-1", engine.port)))) as place:
            answer = await place.ask(asked_of("m-1"))
            assert (answer.status, answer.code) == (403, "forbidden")
            assert "role admin" in answer.json["error"]["message"]
            assert engine.calls == []
            await place.at_rest()

    run(main())


def test_a_replica_that_is_not_there_is_no_other_one() -> None:
    """Refused at once, naming those that are ready; a name of any kind does no harm."""

    async def main() -> None:
        engine = Engine()
        async with engine, house(table(1, route("m", upstream("m-1", engine.port)), role=Role.ADMIN)) as place:
            for name in ("m-9", "", "x" * 3000, "m-1\xe9"):
                answer = await place.ask(asked_of(name))
                assert (answer.status, answer.code) == (503, "service_unavailable")
                assert "ready ones: m-1" in answer.json["error"]["message"]
            await place.control.swap(table(2, route("m", waiting="loading weights"), role=Role.ADMIN))
            assert "ready ones: none" in (await place.ask(asked_of("m-1"))).json["error"]["message"]
            await place.at_rest()

    run(main())


def test_a_chosen_replica_that_fails_is_not_replaced() -> None:
    """The other replica would answer, but its speed is not what was asked for: 502."""

    async def cut(call: Call) -> None:
        call.cut()

    async def main() -> None:
        async with Engine(cut) as ill, Engine() as well:
            replicas = (upstream("m-1", ill.port), upstream("m-2", well.port))
            async with house(table(1, route("m", *replicas), role=Role.ADMIN)) as place:
                answer = await place.ask(asked_of("m-1"))
                assert (answer.status, answer.code) == (502, "upstream_failed")
                assert (len(ill.calls), len(well.calls)) == (1, 0)
                await place.at_rest()

    run(main())
