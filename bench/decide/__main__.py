"""`python -m bench.decide`: the decisions against their rivals, one part after the other, each in a process of its own."""

import subprocess
import sys

PARTS = ("packing", "stress", "sharing", "max_min", "plan", "route")


def main() -> int:
    """Run all parts (or those that are named); the exit code of the first that fails."""
    for part in sys.argv[1:] or PARTS:
        print(f"\n== bench.decide.{part}", flush=True)
        code = subprocess.call([sys.executable, "-m", f"bench.decide.{part}"])
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
