"""`python -m bench.route [azure] [mooncake]`: routing against its rivals, one part after the other."""

import sys

from bench.route import azure, mooncake

PARTS = {"azure": azure.main, "mooncake": mooncake.main}


def main() -> int:
    """Run all parts, or those that are named."""
    for part in [each for each in sys.argv[1:] if each in PARTS] or PARTS:
        print(f"\n== bench.route.{part}", flush=True)
        PARTS[part]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
