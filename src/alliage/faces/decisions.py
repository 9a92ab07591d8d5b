"""Decisions in plain words: what, how, why, what else, and what would change it; those that are alike told once. Words only."""

from collections.abc import Iterable, Sequence
from typing import Final, assert_never

from alliage.catalog.records import Catalog
from alliage.decide.reasons import Decision, Outcome, Reason, ReasonCode, Rejected
from alliage.faces.reasons import sentence
from alliage.faces.where import devices_words, shortened
from alliage.fleet.ids import DeviceId
from alliage.fleet.replicas import Evidence, Recipe
from alliage.fleet.view import FleetView
from alliage.units import format_bytes

BRIEF_MAX: Final = 4
"""Lines of one kind that a brief text has."""
PLACES_MAX: Final = 6
NAMED_MAX: Final = 2
"""Chips that a brief line names."""


def describe(decision: Decision, *, view: FleetView, catalog: Catalog, verb: str = "runs") -> str:
    """One decision as lines that a newcomer follows.

    `verb` is what a placement does: `runs`, `ran` for one that is over, `would run` for a dry run.
    """
    return describe_all((decision,), view=view, catalog=catalog, verb=verb)


def describe_all(
    decisions: Sequence[Decision], *, view: FleetView, catalog: Catalog, verb: str = "runs", brief: bool = False
) -> str:
    """Decisions that were made together; alike placements are one, with the reasons of the first and the places of all.

    A brief text gives reasons for the first placement alone, in a few lines of each kind, and says how many ways each is of.
    """
    alike: dict[object, list[Decision]] = {}
    for each in decisions:
        key = (each.service, each.recipe) if each.outcome is Outcome.PLACED else id(each)
        alike.setdefault(key, []).append(each)
    groups = list(alike.values())
    shown = groups[:BRIEF_MAX] if brief else groups
    said = [_headed(group, view, catalog, verb) for group in shown]
    texts = [
        head
        if brief and number and group[0].outcome is Outcome.PLACED
        else "\n".join([head, *_reasoned(group[0], brief=brief)])
        for number, (head, group) in enumerate(zip(said, shown, strict=True))
    ]
    if len(groups) > len(shown):
        rest = sum(len(group) for group in groups[len(shown) :])
        texts.append(f"and {_counted(rest, 'more replica')} by other recipes or elsewhere")
    return "\n".join(texts) if brief else "\n\n".join(texts)


def _headed(group: Sequence[Decision], view: FleetView, catalog: Catalog, verb: str) -> str:
    """What was decided, and where else the same was."""
    head = headline(group[0], view=view, catalog=catalog, verb=verb)
    return "\n".join([head, *([_with_others(group)] if len(group) > 1 else [])])


def _reasoned(decision: Decision, *, brief: bool) -> list[str]:
    """Why, what else, and what would change it."""
    most = BRIEF_MAX if brief else None
    rejected = decision.rejected
    return [
        *_listed("Chosen because" if decision.recipe else "Because", [sentence(each) for each in decision.because]),
        *_listed("Not chosen", brief_rejections(rejected) if brief else rejections(rejected), most),
        *_listed("What would change this", [sentence(each) for each in decision.would_change], most),
    ]


def _with_others(group: Sequence[Decision]) -> str:
    others = "the other" if len(group) == 2 else "the others"
    return f"  {len(group)} replicas in all: {others} on {_places(group[1:])}"


def _places(group: Sequence[Decision]) -> str:
    places = [devices_words(each.where) for each in group]
    more = f" and {len(places) - PLACES_MAX} more" if len(places) > PLACES_MAX else ""
    return ", ".join(places[:PLACES_MAX]) + more


def headline(decision: Decision, *, view: FleetView, catalog: Catalog, verb: str = "runs") -> str:
    """What was decided, in one sentence; for a placement also how it runs."""
    match decision.outcome:
        case Outcome.PLACED:
            text = f"{decision.service} {verb} on {_place(decision, view)}{_how(decision.recipe, catalog)}"
        case Outcome.REFUSED:
            text = f"{decision.service} cannot be served now."
        case Outcome.WAITING:
            text = f"{decision.service} waits for a node where it may live."
        case Outcome.STOPPED:
            text = f"A replica of {decision.service}{_at(decision)} is stopped."
        case Outcome.GIVEN_UP:
            text = f"The recipe of a replica of {decision.service}{_at(decision)} is given up there."
        case Outcome.SHORT:
            text = f"{decision.service} cannot be given all that is asked."
        case Outcome.RESTARTED:
            text = f"The engine of a replica of {decision.service}{_at(decision)} is started again."
        case _:
            assert_never(decision.outcome)
    return text


def why(decision: Decision) -> str:
    """The reasons in one line: those for the outcome, else those against each option, the first of each kind."""
    reasons = decision.because or tuple(rejected.reason for rejected in decision.rejected)
    return in_a_line(reasons)


def in_a_line(reasons: Iterable[Reason]) -> str:
    """The first of each kind of reason, and how many kinds more there are."""
    kinds: dict[object, str] = {}
    for each in reasons:
        kinds.setdefault((each.code, each.facts.get("why")), sentence(each))
    said = list(dict.fromkeys(kinds.values()))
    more = [f"and {_counted(len(said) - BRIEF_MAX, 'more reason')}"] if len(said) > BRIEF_MAX else []
    return "; ".join([*said[:BRIEF_MAX], *more])


def rejection(rejected: Rejected) -> str:
    """An option that was looked at, and why it was not taken; what the plan says of it names the option itself."""
    if rejected.reason.code is ReasonCode.BY_PLAN:
        return sentence(rejected.reason)
    return f"{shortened(rejected.option)}: {sentence(rejected.reason)}"


def rejections(rejected: Sequence[Rejected]) -> list[str]:
    """A line each; those with the same reason are one line, which names their engines and chips."""
    alike: dict[str, list[Rejected]] = {}
    for each in rejected:
        alike.setdefault(sentence(each.reason), []).append(each)
    return [
        rejection(group[0])
        if len(group) == 1 or group[0].reason.code is ReasonCode.BY_PLAN
        else f"{_kinds(group)}, in {len(group)} ways: {reason}"
        for reason, group in alike.items()
    ]


def brief_rejections(rejected: Sequence[Rejected]) -> list[str]:
    """A line for each kind of reason, the most frequent first, with the first of its reasons."""
    alike: dict[object, list[Rejected]] = {}
    for each in rejected:
        alike.setdefault((each.reason.code, each.reason.facts.get("why")), []).append(each)
    return [_brief(group) for group in sorted(alike.values(), key=len, reverse=True)]


def _brief(group: Sequence[Rejected]) -> str:
    told = sentence(group[0].reason)
    others = len({sentence(each.reason) for each in group}) - 1
    alike = f" (and {others} more of the kind)" if others else ""
    if len(group) == 1 or group[0].reason.code is ReasonCode.BY_PLAN:
        return rejection(group[0]) + alike
    chips = list(dict.fromkeys(_kind(each)[1] for each in group))
    more = len(chips) - NAMED_MAX
    named = f"{', '.join(chips[:NAMED_MAX])} and {_counted(more, 'more chip')}" if more > 0 else " and ".join(chips)
    return f"{len(group)} ways on {named}: {told}{alike}"


def _kinds(group: Sequence[Rejected]) -> str:
    """`vllm on nvidia-h20, metax-c500; sglang on nvidia-h20`."""
    chips: dict[str, dict[str, None]] = {}
    for each in group:
        engine, chip = _kind(each)
        chips.setdefault(engine, {})[chip] = None
    return "; ".join(
        f"{engine} on {', '.join(names)}" if engine else ", ".join(names) for engine, names in chips.items()
    )


def _kind(rejected: Rejected) -> tuple[str, str]:
    """Engine and chip of an option, `ENGINE on CHIP at NODE` as far as it got."""
    engine, on, chip = rejected.option.partition(" at ")[0].partition(" on ")
    return (engine, chip) if on else ("", engine)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _listed(title: str, sentences: Sequence[str], most: int | None = None) -> list[str]:
    """The sentences under a title; of more than `most`, how many are left."""
    if not sentences:
        return []
    shown = sentences if most is None or len(sentences) <= most else sentences[: most - 1]
    left = len(sentences) - len(shown)
    return [f"{title}:", *(f"  - {each}" for each in shown), *([f"  - and {left} more"] if left else [])]


def _at(decision: Decision) -> str:
    return f" on {devices_words(decision.where)}" if decision.where else ""


def _place(decision: Decision, view: FleetView) -> str:
    """`laptop/cpu0 cores 1` -> `laptop/cpu0 (cpu-x86, AMD EPYC), core 1`, as far as the device is still known."""
    name, _, rest = decision.where.partition(" cores ")
    if " + " in rest:
        name, rest = decision.where, ""
    device = view.device(DeviceId(name.partition(" ")[0]))
    chip = decision.recipe.chip if decision.recipe else ""
    model = device.facts.get("model", "") if device else ""
    known = ", ".join(word for word in (chip, model) if word)
    cores = f", {'core' if rest.isdecimal() else 'cores'} {rest}" if rest else ""
    return devices_words(name) + (f" ({known})" if known else "") + cores


def _how(recipe: Recipe | None, catalog: Catalog) -> str:
    if recipe is None:
        return "."
    engine = catalog.engines.get(recipe.engine)
    spread = f", over {recipe.devices} devices" if recipe.devices > 1 else ""
    evidence = " (estimated, not measured yet)" if recipe.evidence is Evidence.ESTIMATED else f" ({recipe.evidence})"
    return (
        f", by {engine.name if engine else recipe.engine}{spread}: {recipe.precision}, "
        f"{recipe.concurrency} requests at once, {recipe.context_tokens} tokens each, "
        f"{format_bytes(recipe.memory_bytes)}{evidence}."
    )
