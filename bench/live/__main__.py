"""`python -m bench.live [azure] [mooncake] [shared]`: the live points, one after the other."""

import argparse
import signal
import sys

from bench.live.run import PARTS, run_point
from bench.live.shared import run_shared

SHARED = "shared"


def main() -> int:
    """Run all points, or those that are named; the worst exit status of them."""
    parser = argparse.ArgumentParser(prog="python -m bench.live", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, SHARED, []], help="all when none is named")
    parser.add_argument("--seconds", type=float, default=150.0, help="that requests of a trace are sent in")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the cloud is ended too
    worst = 0
    for part in given.parts or (*PARTS, SHARED):
        print(f"\n== bench.live {part}", flush=True)
        worst = max(worst, run_shared() if part == SHARED else run_point(part, seconds=given.seconds))
    return worst


if __name__ == "__main__":
    sys.exit(main())
