"""`python -m tests.gateway.fuzz TARGET --seconds 60`: feeds one target, or all of them one after the other.

With atheris, which follows the branches that the bytes take (in Python code; the C parsers are not followed), else with the
seeded mutations that `make test` uses too. A failure prints the bytes.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

from tests.gateway.fuzz_corpus import CORPUS, WORDS
from tests.gateway.fuzz_targets import TARGETS

BYTES_MAX: Final = 4096


def inputs(target: str, seed: int) -> Iterator[bytes]:
    """The corpus, then mutations of it without end; the same seed gives the same bytes."""
    corpus, words, random = CORPUS[target], WORDS[target], Random(seed)
    yield from corpus
    while True:
        data = bytearray(random.choice(corpus))
        for _ in range(random.choice((1, 1, 2, 4, 8))):
            _mutate(data, corpus, words, random)
        yield bytes(data[:BYTES_MAX])


def _mutate(data: bytearray, corpus: tuple[bytes, ...], words: tuple[bytes, ...], random: Random) -> None:
    start, end = sorted((random.randint(0, len(data)), random.randint(0, len(data))))
    end = min(end, start + 40)
    members = [word for word in words if word.endswith(b",")]
    match random.randrange(12 if members else 6):
        case 0:
            data[start:start] = random.choice(words)
        case 1:
            data[start:end] = b""
        case 2:
            data[start:end] = random.choice(words)
        case 3:
            data[start:start] = data[start:end]
        case 4:
            data[start : start + 1] = bytes([random.randrange(256)])
        case 5:
            data += random.choice(corpus)
        case _:  # an object that stays one: elsewhere a word mostly makes nonsense of it
            place = random.choice([place for place, byte in enumerate(data, 1) if byte in b"{,"] or [0])
            data[place:place] = random.choice(members)


def feed(target: str, data: bytes) -> None:
    """Once; a failure names the bytes."""
    try:
        TARGETS[target](data)
    except Exception as error:
        raise AssertionError(f"{target} fails on {data!r}") from error


def _mutate_for(target: str, seconds: float, seed: int) -> int:
    deadline_s, number = time.monotonic() + seconds, 0
    for data in inputs(target, seed):
        feed(target, data)
        number += 1
        if number % 64 == 0 and time.monotonic() > deadline_s:
            break
    sys.stdout.write(f"{target}: {number} inputs by mutation, seed {seed}: no failure\n")
    return 0


def _follow_branches(target: str, seconds: float, seed: int) -> int:
    """In a process of its own, because libFuzzer ends the one it runs in."""
    with TemporaryDirectory() as folder:
        for number, data in enumerate(CORPUS[target]):
            (Path(folder) / f"{number:03}").write_bytes(data)
        words = Path(folder) / "words.txt"
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in WORDS[target]))
        order = [
            f"-max_total_time={seconds:.0f}",
            f"-max_len={BYTES_MAX}",
            f"-seed={seed}",
            f"-dict={words}",
            f"-artifact_prefix={folder}/",
        ]
        order += ["-verbosity=0", "-print_final_stats=1"]
        order += ["-keep_seed=1"]  # inputs that differ in what the C parsers do look the same to it
        code = "import sys; from tests.gateway.fuzz import under_atheris; under_atheris(sys.argv.pop(1))"
        return subprocess.run([sys.executable, "-c", code, target, *order, folder], check=False).returncode


def _escaped(word: bytes) -> str:
    """As libFuzzer's dictionaries have it."""
    return "".join(f"\\x{byte:02x}" for byte in word)


def under_atheris(target: str) -> None:
    """Give the process to libFuzzer; `sys.argv` is its."""
    import atheris

    for name in [name for name in sys.modules if name.startswith(("alliage.gateway", "tests.gateway.fuzz_targets"))]:
        del sys.modules[name]
    with atheris.instrument_imports(include=["alliage.gateway"]):
        fresh = import_module("tests.gateway.fuzz_targets")  # with the branches of what it imports told

    def mutated(data: bytes, size_max: int, seed: int) -> bytes:
        """Half by libFuzzer, which knows nothing of the formats, half by the mutations above."""
        random, changed = Random(seed), bytearray(data)
        if random.random() < 0.5:
            return bytes(atheris.Mutate(data, size_max))
        _mutate(changed, CORPUS[target], WORDS[target], random)
        return bytes(changed[:size_max])

    atheris.Setup(sys.argv, fresh.TARGETS[target], custom_mutator=mutated)
    atheris.Fuzz()


def main() -> int:
    """The exit code: 0 where nothing failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.gateway.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", choices=[[], *TARGETS], default=[])
    parser.add_argument("--seconds", type=float, default=60.0, help="a target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mutate", action="store_true", help="do without atheris")
    given = parser.parse_args()
    run = _mutate_for if given.mutate or find_spec("atheris") is None else _follow_branches
    codes = [run(target, given.seconds, given.seed) for target in given.targets or TARGETS]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
