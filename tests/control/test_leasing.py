"""Leases: never more than the limit together, by demand, and money never beyond the limit."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from alliage.control.leasing import Party, deal, heard, shares, whole_parts
from alliage.control.spending import Left
from alliage.fleet.limits import Lease, Limits, Scope, Use
from tests.conftest import examples

_S = Scope("tenant:a")
_NAMES = ("g1", "g2", "g3")


@given(weights=st.lists(st.floats(0.0, 1e6), min_size=1, max_size=8), whole=st.integers(0, 1000))
def test_parts_make_the_whole(weights: list[float], whole: int) -> None:
    """Shares sum to one, whole numbers to the limit, and nobody has less than the floor."""
    parts = shares(weights)
    assert abs(sum(parts) - 1.0) < 1e-9
    assert min(parts) >= 0.2 / len(parts) - 1e-12
    numbers = whole_parts(whole, parts)
    assert sum(numbers) == whole
    assert min(numbers) >= (whole >= len(parts))


def _given(parties: dict[str, Party], limits: Limits, left: Left | None = None) -> dict[str, Lease]:
    dealt = deal({_S: limits}, {} if left is None else {_S: left}, parties)
    return {name: leases.get(_S, Lease()) for name, leases in dealt.leases.items()}


def test_one_gateway_has_all() -> None:
    """Its lease is the limit, and its money all that is left beyond what it has used."""
    party = heard(Party(), {_S: Use(micros=40)}, 1.0)
    limits = Limits(requests_per_minute=60, tokens_per_minute=900, parallel=3, day_micros=100)
    assert _given({"g": party}, limits, Left(micros=60, limit="day", resets_s=9.0)) == {
        "g": Lease(
            requests_per_minute=60.0, tokens_per_minute=900.0, parallel=3, spend_until_micros=100, limit="day", resets_s=9.0
        )
    }  # fmt: skip


def test_limits_without_a_lease_are_not_leased() -> None:
    """Models and context are the table's."""
    assert deal({_S: Limits(models=("m",), context_tokens=8)}, {}, {"g": Party()}).leases == {"g": {}}


def test_leases_follow_demand() -> None:
    """Who is asked nine times as much gets more, and the idle one its floor; small changes move nothing."""
    busy = heard(Party(), {_S: Use(requests=90)}, 1.0)
    calm = heard(Party(), {_S: Use(requests=10)}, 1.0)
    idle = heard(Party(), {}, 1.0)
    leases = _given({"a": busy, "b": calm, "c": idle}, Limits(requests_per_minute=300))
    rates = [leases[name].requests_per_minute or 0.0 for name in "abc"]
    assert [round(rate) for rate in rates] == [236, 44, 20]
    sent = {name: replace(party, sent={_S: leases[name]}) for name, party in (("a", busy), ("b", calm), ("c", idle))}
    sent["b"] = heard(sent["b"], {_S: Use(requests=13)}, 1.0)
    assert _given(sent, Limits(requests_per_minute=300)) == leases


def test_who_was_refused_wants_more() -> None:
    """Requests that its present lease did not let in count as demand."""
    starved = heard(Party(), {_S: Use(requests=1, refused=99)}, 1.0)
    fed = heard(Party(), {_S: Use(requests=100)}, 1.0)
    leases = _given({"a": starved, "b": fed}, Limits(requests_per_minute=60))
    assert leases["a"] == leases["b"]


def test_slots_move_only_when_others_obey() -> None:
    """One that comes waits until the other says that it obeys less, and has ended what is beyond that."""
    limits = Limits(parallel=4)
    first = heard(Party(), {_S: Use(requests=9, parallel=4)}, 1.0)
    had = deal({_S: limits}, {}, {"a": first}).leases["a"]
    first = replace(first, sent=had, open=(had,))
    dealt = deal({_S: limits}, {}, {"a": first, "b": Party()})
    assert [dealt.leases[name][_S].parallel for name in "ab"] == [3, 0]
    assert dealt.is_short
    lower = dealt.leases["a"]
    obeys = replace(first, sent=lower, open=(lower,))
    assert [deal({_S: limits}, {}, {"a": obeys, "b": Party()}).leases[name][_S].parallel for name in "ab"] == [3, 0]
    ended = heard(obeys, {_S: Use(requests=9, parallel=3)}, 1.0)
    dealt = deal({_S: limits}, {}, {"a": ended, "b": Party()})
    assert [dealt.leases[name][_S].parallel for name in "ab"] == [3, 1]
    assert not dealt.is_short


class _World:
    """Gateways that obey late, and a control that hears late: the true sums beside what leasing knows."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.parties: dict[str, Party] = {}
        self.lines: dict[str, list[Lease]] = {}
        self.obeyed: dict[str, Lease] = {}
        self.true: dict[str, Use] = {}
        self.lost_micros = 0
        """What gateways that were lost had open: the bound of what may be spent too much."""
        self.booked = 0
        """What was told of money, by those that left too."""

    def join(self, name: str) -> None:
        """A new process; it obeys a lease of nothing until one comes."""
        self.parties[name] = Party()
        self.lines[name] = []
        self.obeyed[name] = Lease(requests_per_minute=0.0, parallel=0, spend_until_micros=0)
        self.true[name] = Use()
        self.deal()

    def lose(self, name: str) -> None:
        """Its line ends; it may have spent all that it may obey, and will, unheard."""
        party = self.parties.pop(name)
        until = max([each.get(_S, Lease()).spend_until_micros or 0 for each in party.open], default=0)
        self.lost_micros += max(0, until - party.use.get(_S, Use()).micros)
        del self.lines[name]

    def deal(self) -> None:
        """Send whatever is new."""
        left = Left(micros=max(0, (self.limits.day_micros or 0) - self.booked), limit="day", resets_s=1.0)
        dealt = deal({_S: self.limits}, {_S: left}, self.parties)
        for name, leases in dealt.leases.items():
            party = self.parties[name]
            if leases != party.sent:
                self.parties[name] = replace(party, sent=leases, open=(*party.open, leases))
                self.lines[name].append(leases[_S])

    def obey(self, name: str) -> None:
        """It takes the next lease that was sent."""
        if self.lines.get(name):
            self.obeyed[name] = self.lines[name].pop(0)

    def tell(self, name: str, now_s: float) -> None:
        """It reports, and which lease it obeys."""
        party = self.parties.get(name)
        if party is None:
            return
        self.booked += self.true[name].micros - party.use.get(_S, Use()).micros
        party = heard(party, {_S: self.true[name]}, now_s)
        obeyed = len(party.open) - len(self.lines[name]) - 1
        self.parties[name] = replace(party, open=party.open[max(0, obeyed) :])
        self.deal()

    def use(self, name: str, micros: int) -> None:
        """One request more, if its lease allows."""
        use, lease = self.true[name], self.obeyed[name]
        if use.micros + micros <= (lease.spend_until_micros or 0):
            use = replace(use, micros=use.micros + micros)
        else:
            use = replace(use, refused=use.refused + 1)
        if use.parallel < (lease.parallel or 0):
            use = replace(use, requests=use.requests + 1, parallel=use.parallel + 1)
        self.true[name] = use

    def end(self, name: str) -> None:
        """A request ends."""
        use = self.true[name]
        self.true[name] = replace(use, parallel=max(0, use.parallel - 1))


_EVENTS = st.tuples(
    st.sampled_from(["join", "lose", "obey", "tell", "tell", "use", "use", "use", "end"]),
    st.sampled_from(_NAMES),
    st.integers(1, 400),
)


@settings(max_examples=examples(200))
@given(events=st.lists(_EVENTS, max_size=120))
def test_never_beyond_the_limit(events: list[tuple[str, str, int]]) -> None:
    """In any order of messages: rates and slots that are there sum to the limit at most, and money to it and what was lost sight of."""
    world = _World(Limits(requests_per_minute=60, parallel=7, day_micros=3000))
    lost = 0
    spent_lost = 0
    for at, (what, name, micros) in enumerate(events):
        there = name in world.parties
        if what == "join" and not there:
            spent_lost += world.true.get(name, Use()).micros
            world.join(name)
        elif what == "lose" and there:
            world.lose(name)
            lost += 1
        elif what == "tell":
            world.tell(name, float(at))
        elif what == "obey":
            world.obey(name)
        elif what == "use" and name in world.true:
            world.use(name, micros)
        elif what == "end" and name in world.true:
            world.end(name)
        sent = [party.sent.get(_S, Lease()) for party in world.parties.values()]
        assert sum(each.requests_per_minute or 0.0 for each in sent) <= 60 + 1e-6
        if not lost:
            assert sum(each.parallel for each in world.true.values()) <= 7
        spent = spent_lost + sum(each.micros for each in world.true.values())
        assert spent <= 3000 + world.lost_micros
