"""Where a run begins: compiled modules are settled before anything is imported, for the stand-in of control reads usage as control does."""

import sys

from alliage.compiled import use_compiled


def main() -> int:
    """The run; what is not compiled makes its own side slower, and the gateway says so itself."""
    use_compiled()
    from bench.gateway import run

    return run.main()


if __name__ == "__main__":
    sys.exit(main())
