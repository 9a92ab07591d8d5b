"""Proposals are cheap, can be carried out, and displace nobody who has to stay."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from alliage.decide.moves.propose import EVICTED_MAX, NoRoom, Proposal, carried_out, make_room, mend
from alliage.decide.moves.standing import Resident, Standing
from alliage.decide.packing.shapes import Host, Shape

WORK = 100_000


def a_host(devices: int = 4, *, kind: str = "a", cpu: int = 64_000) -> Host:
    """A node."""
    return Host(kind=kind, devices=devices, cpu_milli=cpu, memory_mib=1 << 20)


def a_shape(devices: int = 1, milli: int = 1000, *, cpu: int = 1000) -> Shape:
    """A request."""
    return Shape(devices=devices, device_milli=milli, cpu_milli=cpu, memory_mib=1)


def one(
    name: str, host: int, devices: tuple[int, ...], *, milli: int = 1000, move: int | None = 5, stop: int | None = None
) -> Resident:
    """A resident that holds those devices."""
    shape = a_shape(len(devices), milli)
    return Resident(id=name, shape=shape, host=host, devices=devices, move_micros=move, stop_micros=stop)


def test_two_halves_are_joined_by_one_move() -> None:
    """Two hosts with two of four devices idle each: a gang of four fits after the cheaper resident moved."""
    residents = (one("a", 0, (0, 1), move=7), one("b", 1, (2, 3), move=5))
    (proposal,) = mend([a_shape(4)], [a_host(), a_host()], residents, work=WORK)
    assert (proposal.host, proposal.cost_micros) == (1, 5)
    assert [(move.resident, move.host) for move in proposal.moves] == [("b", 0)]


def test_nothing_is_proposed_for_what_fits_already() -> None:
    """Mending is for fragments only."""
    assert mend([a_shape(2)], [a_host()], (one("a", 0, (0, 1)),), work=WORK) == ()


def test_preemption_takes_the_cheapest_that_may_be_stopped() -> None:
    """A full host: the one that may not be stopped stays, of the others the cheaper goes."""
    residents = (
        one("firm", 0, (0,), move=None),
        one("dear", 0, (1,), move=None, stop=9),
        one("cheap", 0, (2, 3), move=None, stop=4),
    )
    proposal = make_room(a_shape(1), [a_host()], residents, may_stop=True, work=WORK)
    assert isinstance(proposal, Proposal)
    assert [(move.resident, move.host) for move in proposal.moves] == [("cheap", None)]
    assert isinstance(make_room(a_shape(1), [a_host()], residents, may_stop=False, work=WORK), NoRoom)


def test_a_search_that_was_cut_short_says_so() -> None:
    """With no work allowed nothing was tried."""
    found = make_room(a_shape(4), [a_host()], (one("a", 0, (0,)),), may_stop=True, work=0)
    assert found == NoRoom(hosts=1, tried=0, cut=True)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[list[Host], list[Resident], Shape]:
    """Up to three small hosts, residents where they fit, and a request."""
    hosts = [a_host(draw(st.integers(1, 4)), kind=draw(st.sampled_from("ab"))) for _ in range(draw(st.integers(1, 3)))]
    residents: list[Resident] = []
    for number in range(draw(st.integers(0, 5))):
        shape = a_shape(draw(st.integers(1, 3)), draw(st.sampled_from([300, 600, 1000])))
        shape = a_shape(1, shape.device_milli) if shape.device_milli < 1000 else shape
        host = draw(st.integers(0, len(hosts) - 1))
        devices = Standing.of(hosts, residents).room_for(shape, host)
        if devices is not None:
            move, stop = (draw(st.none() | st.integers(0, 9)) for _ in range(2))
            residents.append(
                Resident(id=f"r{number}", shape=shape, host=host, devices=devices, move_micros=move, stop_micros=stop)
            )
    return hosts, residents, a_shape(draw(st.integers(1, 4)))


@given(scene=scenes(), may_stop=st.booleans())
def test_a_proposal_can_be_carried_out_and_moves_only_who_may_be(
    scene: tuple[list[Host], list[Resident], Shape], *, may_stop: bool
) -> None:
    """Afterwards nobody holds more than there is, the request fits where it was said, and costs are those of the moved."""
    hosts, residents, wanted = scene
    proposal = make_room(wanted, hosts, residents, may_stop=may_stop, work=WORK)
    if isinstance(proposal, NoRoom):
        return
    after = Standing.of(hosts, carried_out(proposal, residents))
    after.take(wanted, proposal.host, proposal.devices)
    assert all(left >= 0 for idle in after.idle for left in idle)
    assert all(left >= 0 for left in (*after.cpu_milli, *after.memory_mib))
    known = {resident.id: resident for resident in residents}
    for move in proposal.moves:
        resident = known[move.resident]
        assert move.cost_micros == (resident.move_micros if move.host is not None else resident.stop_micros)
        assert may_stop or move.host is not None
    assert proposal.cost_micros == sum(move.cost_micros for move in proposal.moves)


@given(scene=scenes())
def test_no_set_of_stops_on_one_host_is_cheaper(scene: tuple[list[Host], list[Resident], Shape]) -> None:
    """Against every set of residents of one host that may be stopped and whose going makes room (brute force)."""
    hosts, residents, wanted = scene
    residents = [
        Resident(id=r.id, shape=r.shape, host=r.host, devices=r.devices, move_micros=None, stop_micros=r.stop_micros)
        for r in residents
    ]
    proposal = make_room(wanted, hosts, residents, may_stop=True, work=WORK)
    costs: list[int] = []
    for host, gone in product(range(len(hosts)), product([False, True], repeat=len(residents))):
        leaving = [resident for resident, goes in zip(residents, gone, strict=True) if goes]
        if len(leaving) > EVICTED_MAX or any(each.stop_micros is None for each in leaving):
            continue
        staying = [resident for resident in residents if resident not in leaving]
        standing = Standing.of(hosts, staying)
        if standing.could_ever(wanted, host) and standing.room_for(wanted, host) is not None:
            costs.append(sum(each.stop_micros or 0 for each in leaving))
    if isinstance(proposal, NoRoom):
        assert not costs
    else:
        assert proposal.cost_micros == min(costs)
