"""The reasons of a plan in plain words: one sentence for every WhyCode. Words only, no decisions."""

import re
from typing import Final, assert_never

from alliage.decide.reasons import Facts
from alliage.decide.solve.reasons import Why, WhyCode

_KIND: Final = re.compile(r"(?P<devices>\d+) (?P<chip>\S+) at (?P<site>[^\s,:]+(?: \(\d+\))?)")
"""The name of a kind of nodes, as control plans with them: what stands for a pool and its chip."""
_AT_KIND: Final = re.compile(
    r"on (?P<taken>\d+) (?P<chip>\S+), (?P<kind>(?P<devices>\d+) (?P=chip) at (?P<site>[^\s,:]+(?: \(\d+\))?))"
    r"(?: in (?P=kind))?"
)
"""The name of a way at such a kind, and the kind again where both are told."""


def money(micros: float) -> str:
    """`1500000` -> `1.50`: whole units of the currency that the files are in."""
    return f"{micros / 1e6:,.2f}"


def amount(value: float) -> str:
    """`3.41`, `0.00646`, `1,205`: three digits, and no less than whole ones."""
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def words(why: Why) -> str:
    """A reason as one clause without a full stop."""
    return readable(_words(why))


def readable(text: str) -> str:
    """`vllm BF16 on 2 nvidia-h20, 8 nvidia-h20 at a-1` -> `vllm BF16 on 2 of the 8 nvidia-h20 of a node at a-1`; other text as it is."""
    return _AT_KIND.sub(_at_kind, text)


def _at_kind(found: re.Match[str]) -> str:
    taken, devices = found["taken"], found["devices"]
    some = "the" if devices == "1" else f"all {devices}" if taken == devices else f"{taken} of the {devices}"
    return f"on {some} {found['chip']} of a node at {found['site']}"


def _words(why: Why) -> str:  # noqa: C901, PLR0912, PLR0915 - one case a code, and nothing else
    facts = why.facts
    here = f"{_word(facts, 'way')} in {_word(facts, 'pool')}"
    match why.code:
        case WhyCode.CHEAPEST:
            text = f"{here} costs least: {_money(facts, 'cost_micros')} an hour for all of it at today's prices"
        case WhyCode.NEXT_BEST:
            text = f"{here}: what would cost less, or do more, has no room for all of it"
        case WhyCode.WHOLE_REPLICAS:
            than = f"{_word(facts, 'than')} in {_word(facts, 'than_pool')}"
            text = f"{here}: a request costs less by {than}, but in whole replicas that comes to no less"
        case WhyCode.RUNS_THERE:
            text = f"{here} runs already ({_word(facts, 'count')}), and moving it would cost more than it saves"
        case WhyCode.ONLY_WAY:
            text = f"{here} is the only way there is"
        case WhyCode.DEARER:
            text = f"{here} would cost {_money(facts, 'worse_micros')} more an hour at today's prices"
        case WhyCode.UNAVAILABLE:
            text = f"{_word(facts, 'way')}: the fleet has no {_chip(facts)}"
        case WhyCode.RESIDENCY:
            text = f"{here}: its residency does not allow site {_word(facts, 'site')}"
        case WhyCode.FAILED:
            text = f"{_word(facts, 'way')}: this recipe has failed; it is not tried again until someone asks"
        case WhyCode.RATE_UNKNOWN:
            text = f"{here}: its speed is not known, so nothing can be reckoned to be served by it"
        case WhyCode.GANG_TOO_LARGE:
            text = (
                f"{here}: no node has {_word(facts, 'devices')} {_chip(facts)} "
                f"(they have {_word(facts, 'node_devices')}, and whole nodes do not add up to it)"
            )
        case WhyCode.TOO_LATE:
            text = (
                f"{here} would finish after {_hours(facts, 'finish_s')}, the deadline is {_hours(facts, 'deadline_s')}"
            )
        case WhyCode.DEVICES_FULL:
            text = f"{_pool(facts)} is full ({_holding(facts)})"
        case WhyCode.NO_GANG_FREE:
            text = (
                f"{here}: {_word(facts, 'free')} devices are free, but no node has "
                f"{_word(facts, 'devices')} free of one make"
            )
        case WhyCode.BUDGET:
            spent = f"{_money(facts, 'spent_micros')} of {_money(facts, 'budget_micros')} an hour are spent"
            text = f"the budget of {_word(facts, 'tenant')} does not allow more ({spent})"
        case WhyCode.REPLICAS_MAX:
            text = f"{_word(facts, 'work')} has its most replicas ({_word(facts, 'max_replicas')})"
        case WhyCode.ALL_RUN:
            text = f"all {_count(facts, 'count', 'job')} of {_word(facts, 'work')} run, though not all at full speed"
        case WhyCode.SPREAD:
            text = (
                f"no two replicas of {_word(facts, 'work')} may share one of the {_word(facts, 'spread')}, "
                f"and {_word(facts, 'where')} has one on each of its {_word(facts, 'places')}"
            )
        case WhyCode.NOT_WORTH:
            worth = f"{_money(facts, 'value_micros')} an hour, it would cost {_money(facts, 'cost_micros')}"
            text = f"{here}: what one more would serve is worth {worth}"
        case WhyCode.NO_WAY:
            text = f"{_word(facts, 'work')} has no way to run at all"
        case WhyCode.HELD:
            text = f"{_pool(facts)} is held by {_word(facts, 'holders')}, which may not be taken away yet"
        case WhyCode.GUARANTEE_SMALL:
            text = f"{_word(facts, 'way')} takes {_word(facts, 'devices')} devices, {_word(facts, 'left')} are left of the guarantee"
        case WhyCode.ADD_NODES:
            nodes = _count(facts, "nodes", "more node")
            text = f"{nodes} {_equipped(facts)} at site {_word(facts, 'site')} would {_effect(facts)}"
        case WhyCode.ALLOW_SITE:
            text = f"allowing site {_word(facts, 'site')} would {_effect(facts)}"
        case WhyCode.RAISE_BUDGET:
            text = f"a budget of {_money(facts, 'budget_micros')} an hour would {_effect(facts)}"
        case WhyCode.RAISE_REPLICAS_MAX:
            text = f"{_word(facts, 'max_replicas')} replicas at most would {_effect(facts)}"
        case WhyCode.LOSE_NODES:
            text = _lost(facts)
        case WhyCode.MORE_STARTS:
            text = _more_starts(facts)
        case _:
            assert_never(why.code)
    return text


def _effect(facts: Facts) -> str:
    """What a change does for the work."""
    unit = " req/s" if facts.get("kind", "rps") == "rps" else " jobs"
    serves, left = float(facts.get("serves", 0.0)), float(facts.get("left", 0.0))
    name = _word(facts, "work")
    if serves <= 0:
        return f"bring {_count(facts, 'replicas', 'more replica')} of the least of {name}"
    if left > 0:
        return f"serve {amount(serves)}{unit} more of {name} ({amount(left)} would still be missing)"
    return f"serve the missing {amount(serves)}{unit} of {name}"


def _more_starts(facts: Facts) -> str:
    """What as many starts as were lost would come to."""
    started = f"{_count(facts, 'starts', 'start')} for {_word(facts, 'lost')} lost"
    gap = facts.get("gap")
    if gap is None:
        return f"{started}: with fewer, some tenant would fall below its share"
    return f"{started}: with no more than were lost, the plan would be within {float(gap):.2%} of the best only"


def _lost(facts: Facts) -> str:
    node = f"without {_count(facts, 'nodes', 'node')} {_equipped(facts)} at site {_word(facts, 'site')}"
    instead = str(facts.get("instead", ""))
    missing = float(facts.get("missing", 0.0))
    after = f" it would run as {instead}" if instead else " it would run less"
    return f"{node}{after}" + (f", and {amount(missing)} would be missing" if missing > 0 else "")


def _holding(facts: Facts) -> str:
    """Who has the devices of a pool that is full: the work itself, or what counts for more."""
    taken, own = int(facts.get("taken", 0)), int(facts.get("own", 0))
    if not own:
        return f"{_word(facts, 'taken')} of {_word(facts, 'devices')} devices are given to what counts for more"
    mine = f"{_word(facts, 'work')} has {own} of its {_word(facts, 'devices')} devices itself"
    return mine if own >= taken else f"{mine}, {taken - own} are given to what counts for more"


def _pool(facts: Facts) -> str:
    name = _word(facts, "pool")
    return f"every node with {name}" if _KIND.fullmatch(name) else name


def _chip(facts: Facts) -> str:
    name = _word(facts, "chip")
    kind = _KIND.fullmatch(name)
    return kind["chip"] if kind else name


def _equipped(facts: Facts) -> str:
    """What a node of the pool has: `with 8 nvidia-h20`, or of a pool of a file `of h20`."""
    name = _word(facts, "chip")
    kind = _KIND.fullmatch(name)
    return f"with {kind['devices']} {kind['chip']}" if kind else f"of {name}"


def _word(facts: Facts, name: str) -> str:
    return str(facts.get(name, "unknown"))


def _money(facts: Facts, name: str) -> str:
    return money(float(facts[name])) if name in facts else "an unknown amount"


def _hours(facts: Facts, name: str) -> str:
    return f"{float(facts[name]) / 3600:.3g} h" if name in facts else "an unknown time"


def _count(facts: Facts, name: str, noun: str) -> str:
    number = facts.get(name, "an unknown number of")
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
