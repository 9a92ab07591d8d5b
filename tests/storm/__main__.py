"""`python -m tests.storm --requests 50000 --seed 1`: prints the verdict; fails with what is wrong."""

import argparse
import sys
from time import monotonic

import uvloop

from tests.storm.cloud import a_cloud
from tests.storm.judge import Verdict
from tests.storm.storm import Kills, Plan, blow


async def _run(plan: Plan) -> tuple[Verdict, Kills]:
    async with a_cloud() as cloud:
        verdict, kills = await blow(cloud, plan)
        if verdict.wrong and not plan.bug:
            cloud.is_kept = True
            print(f"kept {cloud.home.root}")  # noqa: T201 - where to look
        return verdict, kills


def main() -> int:
    """One storm."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--slack", type=float, default=2.0, help="seconds that a busy machine may delay a mark")
    parser.add_argument("--bug", choices=("", "early", "twice", "wiped"), default="")
    parser.add_argument("--gateway-every", type=int, default=500, help="requests, in the mean; 0: never")
    parser.add_argument("--control-every", type=int, default=1500, help="the same of control")
    given = parser.parse_args()
    plan = Plan(
        requests=given.requests,
        seed=given.seed,
        clients=given.clients,
        gateway_every=given.gateway_every,
        control_every=given.control_every,
        slack_s=given.slack,
        bug=given.bug,
    )
    began_s = monotonic()
    verdict, kills = uvloop.run(_run(plan))
    told = (
        f"seed {plan.seed}, {monotonic() - began_s:.0f} s; killed: gateway {kills.gateway}, control {kills.control}",
        f"{verdict.requests} requests, {verdict.records} records, {verdict.tokens} tokens, {verdict.micros} micros, {verdict.estimated} estimated",
        f"complete {verdict.complete}, refused {verdict.refused}, cut {verdict.cut} ({verdict.cut_billed} billed, {verdict.cut_after_end} after their record)",
        *(f"WRONG {each}" for each in verdict.wrong[:50]),
        f"{len(verdict.wrong)} wrong",
    )
    print("\n".join(told))  # noqa: T201 - it is what one asks for
    return bool(verdict.wrong)


if __name__ == "__main__":
    sys.exit(main())
