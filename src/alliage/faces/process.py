"""Where each process of the cloud begins: whether it runs compiled is settled before anything else is imported."""

import sys

from alliage.compiled import use_compiled


def main() -> int:
    """The process that the arguments name (`processes`)."""
    why_not = use_compiled() if sys.argv[1:2] in (["gateway"], ["control"]) else ""
    from alliage.faces import processes

    return processes.main(uncompiled_because=why_not)


if __name__ == "__main__":
    sys.exit(main())
