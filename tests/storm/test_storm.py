"""The books after a storm of random kills: each answer that a client saw is billed to the token, each cut one once and never too much."""

import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop

from alliage.fleet.prices import TokenPrice
from alliage.fleet.usage import Ending
from alliage.ledger.charging import Charge, Pricing, charged
from alliage.store.sql import open_store
from tests.ledger.builders import a_price, a_record
from tests.storm.asked import PRICE, PROMPT_TOKENS, Asked, Kind, Saw
from tests.storm.cloud import a_cloud
from tests.storm.judge import Verdict, judge
from tests.storm.ledger import judge_sums, read_ledger
from tests.storm.storm import Kills, Plan, blow

_PLANS = (
    # The interval is `test_marks`' to judge: here machines may stand still.
    Plan(requests=450, seed=1, gateway_every=150, control_every=200, slack_s=30),
    Plan(requests=100, seed=2, gateway_every=40, control_every=0, slack_s=30, bug="twice"),
    Plan(requests=100, seed=3, gateway_every=40, control_every=0, slack_s=30, bug="wiped"),
)
_PRICING = Pricing([a_price(price=PRICE)])


def _charge(request: str = "a", *, tokens: int = 10, ending: Ending = Ending.FINISHED, id_: str = "j-1") -> Charge:
    record = a_record(
        id_,
        request=request,
        tenant="acme",
        prompt_tokens=PROMPT_TOKENS,
        cached_tokens=0,
        output_tokens=tokens,
        ending=ending,
        is_estimated=ending is not Ending.FINISHED,
    )
    return charged(record, _PRICING)


def _asked(saw: Saw, seen: int) -> Asked:
    return Asked(
        id="a", tenant="acme", kind=Kind.STREAM, tokens=10, saw=saw, status=200, reached=True, produced=10,
        seen_s=[float(number) for number in range(seen)], ended_s=float(seen),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "charges", "is_right"),
    [
        (_asked(Saw.COMPLETE, 10), [_charge()], True),
        (_asked(Saw.COMPLETE, 10), [], False),
        (_asked(Saw.COMPLETE, 10), [_charge(), _charge(id_="j-2")], False),
        (_asked(Saw.COMPLETE, 10), [_charge(tokens=9)], False),
        (_asked(Saw.COMPLETE, 10), [_charge(ending=Ending.CUT)], False),
        (_asked(Saw.COMPLETE, 10), [_charge("b")], False),
        (replace(_asked(Saw.COMPLETE, 10), tenant="beta"), [_charge()], False),
        (_asked(Saw.COMPLETE, 10), [replace(_charge(), micros=17)], False),
        (_asked(Saw.COMPLETE, 10), [replace(_charge(), price=TokenPrice(prompt_micros=500_000))], False),
        (_asked(Saw.COMPLETE, 10), [replace(_charge(), price=None, micros=0)], False),
        (_asked(Saw.CUT, 6), [_charge(tokens=6, ending=Ending.CUT)], True),
        (_asked(Saw.CUT, 6), [_charge(tokens=4, ending=Ending.CUT)], True),
        (_asked(Saw.CUT, 6), [_charge(tokens=3, ending=Ending.CUT)], False),
        (_asked(Saw.CUT, 6), [_charge(tokens=7, ending=Ending.CUT)], False),
        (_asked(Saw.CUT, 6), [], False),
        (_asked(Saw.LEFT, 6), [_charge(tokens=8, ending=Ending.CANCELLED)], True),
        (_asked(Saw.LEFT, 6), [_charge(tokens=5, ending=Ending.CANCELLED)], False),
        (_asked(Saw.BROKEN, 6), [_charge(tokens=7, ending=Ending.FAILED)], False),
    ],
)
def test_the_judge_knows_right_from_wrong(asked: Asked, charges: list[Charge], *, is_right: bool) -> None:
    """A cut answer may be short by what came within the interval, by nothing else."""
    assert bool(judge([asked], charges, interval_s=2.0).wrong) is not is_right


def test_an_exact_half_is_rounded_to_even() -> None:
    """7 tokens of a prompt and 12 of an answer cost 18.5 micros, 8 of an answer 13.5: 18 and 14 are right, 19 and 13 are not."""
    for tokens, right, wrong in ((12, 18, 19), (8, 14, 13)):
        asked = replace(_asked(Saw.COMPLETE, tokens), tokens=tokens, produced=tokens)
        charge = _charge(tokens=tokens)
        assert charge.micros == right
        assert judge([asked], [charge], interval_s=2.0).wrong == ()
        assert judge([asked], [replace(charge, micros=wrong)], interval_s=2.0).wrong


def test_totals_that_are_not_the_sum_of_their_records_are_found(tmp_path: Path) -> None:
    """In a ledger of the real store, in which one row is made wrong."""
    right, wrong = tmp_path / "right.db", tmp_path / "wrong.db"
    charges = [_charge("a"), _charge("b", id_="j-2", tokens=3), _charge("c", id_="j-3", tokens=40)]
    with closing(open_store(right)) as store:
        store.books().take([*charges[:2], replace(charges[2], record=replace(charges[2].record, tenant="beta"))])
    assert judge_sums(read_ledger(right)) == []
    for spoil in (
        "UPDATE sums SET charged_micros = charged_micros + 1 WHERE tenant = 'acme'",
        "UPDATE sums SET output_tokens = output_tokens - 1 WHERE tenant = 'beta'",
        "DELETE FROM sums WHERE tenant = 'beta'",
        "UPDATE spent SET micros = micros - 1 WHERE scope LIKE 'key:%'",
        "UPDATE charges SET micros = micros + 1 WHERE id = 'j-2'",
        "DELETE FROM charges WHERE id = 'j-3'",
    ):
        shutil.copy(right, wrong)
        with closing(sqlite3.connect(wrong, isolation_level=None)) as connection:
            assert connection.execute(spoil).rowcount == 1, spoil
        assert judge_sums(read_ledger(wrong)), spoil


@pytest.fixture(scope="module")
def storms() -> Mapping[str, tuple[Verdict, Kills]]:
    """One after the other over one cloud, by their bug: starting one takes longer than most storms."""

    async def blown() -> Mapping[str, tuple[Verdict, Kills]]:
        async with a_cloud() as cloud:
            return {plan.bug: await blow(cloud, plan) for plan in _PLANS}

    return uvloop.run(blown())


def test_the_books_are_right_after_a_storm(storms: Mapping[str, tuple[Verdict, Kills]]) -> None:
    """A gateway and control that are killed again and again: none missing, none doubled, none too high, and all sums those of the records."""
    verdict, kills = storms[""]
    assert verdict.wrong == ()
    assert kills.gateway > 0
    assert kills.control > 0
    assert verdict.complete > 0
    assert verdict.cut_billed > 0
    assert verdict.refused == 0


@pytest.mark.parametrize("bug", ["twice", "wiped"])
def test_a_storm_finds_what_is_wrong(storms: Mapping[str, tuple[Verdict, Kills]], bug: str) -> None:
    """Records taken as often as they are told are doubled; journals that go with their gateway are missing."""
    verdict, _ = storms[bug]
    said = {"twice": "records", "wiped": "no record"}[bug]
    assert verdict.wrong
    assert all(why.endswith(said) for why in verdict.wrong)
