"""Lengths of requests are believed when enough of them have been answered to say how long all are."""

from dataclasses import replace

from alliage.control.observed import DoorReport
from alliage.control.watching import Watching
from alliage.fleet.ids import ServiceName
from alliage.fleet.traffic import Traffic
from alliage.fleet.view import FleetView
from tests.builders import a_service

NAME = ServiceName("tiny")


def a_report(*, at_s: float, answered: int, in_flight: int) -> DoorReport:
    """So many answers of 100 and 50 tokens until then, and so many that are not over."""
    traffic = Traffic(
        began_s=5.0,
        asked=answered + in_flight,
        answered=answered,
        tokens_counted=answered,
        input_tokens=100 * answered,
        output_tokens=50 * answered,
        in_flight=in_flight,
    )
    return DoorReport(door="door", table_version=1, in_flight={}, heard_s=at_s, counted_s=at_s, traffic={NAME: traffic})


def a_watching(*, rests: bool) -> Watching:
    """One that holds demand for five minutes, or for one where services rest."""
    return Watching(began_s=0.0, hold_s=300.0, idle_s=300.0, rest_s=60.0, can_rest=lambda _view, _service: rests)


def rates(watching: Watching, asked: dict[int, int], *, until_s: int) -> dict[int, float]:
    """The demand of each second up to then, of a service that is asked so much more at some; it was asked for long ago."""
    view = FleetView(version=1, services=(replace(a_service(), created_s=-1e6, asked_s=-1e6),))
    total, found = 0, {}
    for at_s in range(1, until_s + 1):
        total += asked.get(at_s, 0)
        told = DoorReport(
            door="door", table_version=1, in_flight={}, heard_s=at_s, counted_s=at_s, traffic={NAME: Traffic(began_s=0.5, asked=total)},
        )  # fmt: skip
        demand = watching.look(view, (told,), now_s=float(at_s), wall_s=float(at_s))[NAME]
        found[at_s] = demand.rate_rps if demand.is_wanted else -1.0
    return found


def lengths_after(answered: int, in_flight: int) -> tuple[int | None, int | None]:
    """What is believed of lengths then."""
    watching = a_watching(rests=False)
    view = FleetView(version=1, nodes=(), services=(a_service(),), replicas=(), keys=())
    report = a_report(at_s=10.0, answered=answered, in_flight=in_flight)
    demand = watching.look(view, (report,), now_s=10.0, wall_s=10.0)[NAME]
    return demand.input_tokens, demand.output_tokens


def test_the_first_answers_of_a_burst_say_nothing_of_lengths() -> None:
    """Twenty answers with a hundred in work are the short ones; with few in work they are like the others."""
    assert lengths_after(answered=30, in_flight=100) == (None, None)
    assert lengths_after(answered=30, in_flight=10) == (100, 50)
    assert lengths_after(answered=220, in_flight=100) == (100, 50)


def test_who_can_sleep_is_wanted_a_minute_longer_and_others_five() -> None:
    """A hundred seconds of two a second, then nothing: demand is gone a minute after the last, where a wake takes seconds."""
    burst = dict.fromkeys(range(10, 110), 2)
    resting, others = (rates(a_watching(rests=rests), burst, until_s=480) for rests in (True, False))
    assert resting[168] > 2
    assert resting[170] == -1
    assert others[400] > 2
    assert others[470] == -1


def test_after_a_rest_what_was_asked_before_is_expected_for_a_minute() -> None:
    """The first request of the next burst brings the whole demand of the last; a burst that is less is believed after a minute."""
    asked = dict.fromkeys(range(10, 110), 4) | dict.fromkeys(range(300, 420, 2), 1)
    seen = rates(a_watching(rests=True), asked, until_s=440)
    assert seen[299] == -1
    assert seen[10] < 1
    assert seen[300] > 4
    assert seen[420] < 1
