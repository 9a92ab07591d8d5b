"""What a plan says of one work, as lines that a newcomer follows: for plans of files and for the plan of now. Words only."""

from collections.abc import Sequence
from typing import Final

from alliage.decide.solve.answer import Unmet
from alliage.decide.solve.explain import Explanation
from alliage.decide.solve.reasons import Why, WhyCode
from alliage.faces.plan_words import amount, words

REASONS_SHOWN: Final = 6


def explanation_lines(each: Explanation, unfit: Sequence[str] = (), *, is_job: bool = False) -> list[str]:
    """What it lacks and why, what was chosen and what not, and what would change that; `unfit`: how its model does not run."""
    lines = []
    if each.lacks is not None:
        lines += [f"  is missing {lacking(each.lacks, is_job=is_job)}"]
        lines += _listed("because", [words(why) for why in each.lacks.because])
    lines += _listed("chosen", [words(why) for why in each.chosen])
    lines += _listed("not chosen", not_chosen(each.rejected))
    lines += _listed("cannot run as", unfit)
    lines += _listed("what would change this", [words(tried.why) for tried in each.would_change])
    if each.is_cut_short:
        lines.append("  there was no time to try every change to its end: there may be more of them")
    return lines


def not_chosen(rejected: Sequence[Why]) -> list[str]:
    """A line each, of what would cost more the cheapest first; the ways of unknown speed share one."""
    dearer = sorted((why for why in rejected if why.code is WhyCode.DEARER), key=_worse_micros)
    unknown = [why for why in rejected if why.code is WhyCode.RATE_UNKNOWN]
    others = [why for why in rejected if why.code not in {WhyCode.DEARER, WhyCode.RATE_UNKNOWN}]
    told = [words(why) for why in (*dearer, *others, *unknown[:1])]
    if len(unknown) > 1:
        told[-1] = f"{told[-1]} (nor by {len(unknown) - 1} more ways of unknown speed)"
    return told


def _worse_micros(why: Why) -> float:
    return float(why.facts.get("worse_micros", 0.0))


def lacking(each: Unmet, *, is_job: bool) -> str:
    """`8 req/s and 1 of its least replicas`."""
    parts = []
    if each.missing > 0:
        parts.append(f"{amount(each.missing)} jobs" if is_job else f"{amount(each.missing)} req/s")
    if each.missing_replicas:
        parts.append(f"{each.missing_replicas} of its least replicas")
    return " and ".join(parts)


def _listed(title: str, sentences: Sequence[str]) -> list[str]:
    shown = list(dict.fromkeys(sentences))
    more = [f"    - and {len(shown) - REASONS_SHOWN} more"] if len(shown) > REASONS_SHOWN else []
    return [f"  {title}:", *(f"    - {each}" for each in shown[:REASONS_SHOWN]), *more] if shown else []
