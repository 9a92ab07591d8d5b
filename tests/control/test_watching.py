"""Lengths of requests are believed when enough of them have been answered to say how long all are."""

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


def lengths_after(answered: int, in_flight: int) -> tuple[int | None, int | None]:
    """What is believed of lengths then."""
    watching = Watching(began_s=0.0, hold_s=300.0, idle_s=300.0)
    view = FleetView(version=1, nodes=(), services=(a_service(),), replicas=(), keys=())
    report = a_report(at_s=10.0, answered=answered, in_flight=in_flight)
    demand = watching.look(view, (report,), now_s=10.0, wall_s=10.0)[NAME]
    return demand.input_tokens, demand.output_tokens


def test_the_first_answers_of_a_burst_say_nothing_of_lengths() -> None:
    """Twenty answers with a hundred in work are the short ones; with few in work they are like the others."""
    assert lengths_after(answered=30, in_flight=100) == (None, None)
    assert lengths_after(answered=30, in_flight=10) == (100, 50)
    assert lengths_after(answered=220, in_flight=100) == (100, 50)
