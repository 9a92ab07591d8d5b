"""`python -m bench.speed [--data FILE] [--anchor] [--json]`: how well the speed model predicts measured speeds.

On the file that the committed coefficients were fitted on, each (chip, model) group is predicted by a fit that did not
see it; on any other file the committed coefficients are used as they are.
"""

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

from alliage.catalog.loader import load_catalog
from alliage.errors import AlliageError
from alliage.speed.efficiency import committed
from bench.speed.cases import Skip
from bench.speed.place import data_file
from bench.speed.reading import read_cases
from bench.speed.report import Result, to_json, to_text
from bench.speed.rows import read_rows
from bench.speed.scoring import anchored, by_committed, by_cross_validation


def evaluate(path: Path, *, anchor: bool) -> tuple[Result, ...]:
    """The result that counts first; on the fitting file also what the committed coefficients say of it."""
    rows, catalog, coefficients = read_rows(path), load_catalog(), committed()
    cases, skipped = read_cases(rows, catalog, coefficients.bandwidths)
    plain = ("committed coefficients", by_committed(cases, coefficients), skipped)
    ways = [plain]
    if hashlib.sha256(path.read_bytes()).hexdigest() == coefficients.source_sha256:
        free_cases, free_skipped = read_cases(rows, catalog)
        scored = by_cross_validation(free_cases)
        unseen = {case.row.line: Skip.NO_BANDWIDTH for case in free_cases} | dict(free_skipped)
        for one in scored:
            del unseen[one.case.row.line]
        ways = [
            ("cross-validated by (chip, model)", scored, unseen),
            ("committed coefficients, which saw it", *plain[1:]),
        ]
    results = []
    for method, every, missing in ways:
        counted = anchored(every) if anchor else every
        results.append(
            Result(
                method=method + (", anchored" if anchor else ""),
                rows=len(rows),
                scored=counted,
                every=every,
                skipped=missing,
                anchors=len(every) - len(counted),
            )
        )
    return tuple(results)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the tables, or the one line of --json."""
    parser = argparse.ArgumentParser(prog="python -m bench.speed", description=__doc__)
    parser.add_argument("--data", type=Path, help="measured speeds as CSV")
    parser.add_argument("--anchor", action="store_true", help="one measured row of each recipe corrects the others")
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    given = parser.parse_args(arguments)
    try:
        results = evaluate(data_file(given.data), anchor=given.anchor)
    except AlliageError as error:
        print(error, file=sys.stderr)
        return 2
    if given.json:
        print(to_json(results[0]))
    else:
        print("\n\n".join(to_text(result) for result in results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
