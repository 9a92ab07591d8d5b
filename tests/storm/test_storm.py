"""The books after a storm of random kills: each answer that a client saw is billed to the token, each cut one once and never too much."""

import pytest
import uvloop

from alliage.fleet.ids import KeyId, ReplicaId, ServiceName
from alliage.fleet.usage import UNKNOWN_ORIGIN, Ending, UsageRecord
from tests.storm.asked import PROMPT_TOKENS, Asked, Kind, Saw
from tests.storm.judge import judge
from tests.storm.storm import Plan, run


def _record(request: str = "a", *, tokens: int = 10, ending: Ending = Ending.FINISHED, id_: str = "j-1") -> UsageRecord:
    return UsageRecord(
        id=id_,
        request=request,
        tenant="house",
        project="",
        key=KeyId("k"),
        service=ServiceName("m"),
        endpoint="/v1/chat/completions",
        replica=ReplicaId("r"),
        origin=UNKNOWN_ORIGIN,
        is_rehearsed=False,
        began_s=1.0,
        duration_s=1.0,
        ttft_s=None,
        tpot_s=None,
        prompt_tokens=PROMPT_TOKENS,
        cached_tokens=0,
        output_tokens=tokens,
        status=200,
        ending=ending,
        is_continued=False,
        is_estimated=ending is not Ending.FINISHED,
    )


def _asked(saw: Saw, seen: int) -> Asked:
    return Asked(
        id="a", kind=Kind.STREAM, tokens=10, saw=saw, status=200, reached=True, produced=10,
        seen_s=[float(number) for number in range(seen)], ended_s=float(seen),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "records", "is_right"),
    [
        (_asked(Saw.COMPLETE, 10), [_record()], True),
        (_asked(Saw.COMPLETE, 10), [], False),
        (_asked(Saw.COMPLETE, 10), [_record(), _record(id_="j-2")], False),
        (_asked(Saw.COMPLETE, 10), [_record(tokens=9)], False),
        (_asked(Saw.COMPLETE, 10), [_record(ending=Ending.CUT)], False),
        (_asked(Saw.COMPLETE, 10), [_record("b")], False),
        (_asked(Saw.CUT, 6), [_record(tokens=6, ending=Ending.CUT)], True),
        (_asked(Saw.CUT, 6), [_record(tokens=4, ending=Ending.CUT)], True),
        (_asked(Saw.CUT, 6), [_record(tokens=3, ending=Ending.CUT)], False),
        (_asked(Saw.CUT, 6), [_record(tokens=7, ending=Ending.CUT)], False),
        (_asked(Saw.CUT, 6), [], False),
        (_asked(Saw.LEFT, 6), [_record(tokens=8, ending=Ending.CANCELLED)], True),
        (_asked(Saw.LEFT, 6), [_record(tokens=5, ending=Ending.CANCELLED)], False),
        (_asked(Saw.BROKEN, 6), [_record(tokens=7, ending=Ending.FAILED)], False),
    ],
)
def test_the_judge_knows_right_from_wrong(asked: Asked, records: list[UsageRecord], *, is_right: bool) -> None:
    """A cut answer may be short by what came within the interval, by nothing else."""
    assert bool(judge([asked], records, interval_s=2.0).wrong) is not is_right


def test_the_books_are_right_after_a_storm() -> None:
    """A gateway and control that are killed again and again: none missing, none doubled, none too high."""
    verdict, kills = uvloop.run(
        run(Plan(requests=1500, seed=1, slack_s=30))
    )  # the interval is `test_marks`' to judge: here machines may stand still
    assert verdict.wrong == ()
    assert kills.gateway > 0
    assert kills.control > 0
    assert verdict.complete > 0
    assert verdict.cut_billed > 0


@pytest.mark.parametrize("bug", ["twice", "wiped"])
def test_a_storm_finds_what_is_wrong(bug: str) -> None:
    """Records taken as often as they are told are doubled; journals that go with their gateway are missing."""
    plan = Plan(requests=300, seed=2, gateway_every=80, control_every=40, slack_s=30, bug=bug)
    verdict, _ = uvloop.run(run(plan))
    assert verdict.wrong
