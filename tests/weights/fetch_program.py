"""A program for tests: fetches the model whose card is the first argument (JSON) into the folder in the second."""

import asyncio
import sys
from pathlib import Path

import msgspec

from alliage.catalog.records import ModelCard
from alliage.weights.fetch import WeightStore


def main() -> None:
    """Fetch it and print where it is."""
    card = msgspec.json.decode(sys.argv[1], type=ModelCard)
    path = asyncio.run(WeightStore(Path(sys.argv[2])).fetch(card, lambda _done, _total: None))
    sys.stdout.write(str(path))


if __name__ == "__main__":
    main()
