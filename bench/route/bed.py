"""What both parts stand on: the committed experiment, the trace, and runs that are made once."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from alliage.catalog.loader import load_catalog
from alliage.errors import BadInput
from alliage.replay.requests.experiment import Experiment, read_experiment
from alliage.replay.requests.making import Playable, make_replicas
from alliage.replay.requests.outcome import Outcome
from alliage.replay.requests.playing import play
from alliage.replay.requests.policies import POLICIES
from alliage.replay.requests.trace import Trace

HERE = Path(__file__).parent


def trace_path(*parts: str) -> Path:
    """A published trace in the folder of $ALLIAGE_TEST_DATA, or of the one beside the checkout."""
    folder = Path(os.environ.get("ALLIAGE_TEST_DATA") or HERE.parents[2] / "shared" / "data")
    path = folder.joinpath("traces", *parts)
    if not path.is_file():
        raise BadInput(f"no trace at {path}", remedy="set ALLIAGE_TEST_DATA to the folder that has traces/")
    return path


@dataclass(kw_only=True)
class Bed:
    """One experiment and one trace; each (policy, load, seed) is played once."""

    experiment: Experiment
    trace: Trace
    replicas: tuple[Playable, ...]
    known: dict[tuple[str, float, int], Outcome] = field(default_factory=dict)

    def outcome(self, policy: str, load: float, seed: int | None = None) -> Outcome:
        """With the experiment's first seed, where none is named."""
        key = policy, round(load, 4), self.experiment.seeds[0] if seed is None else seed
        if key not in self.known:
            print(f"  {policy} at speed-up {key[1]:g} ...", file=sys.stderr, flush=True)
            played = play(
                POLICIES[policy],
                self.trace,
                self.replicas,
                self.experiment.objective,
                factor=key[1],
                seed=key[2],
            )
            self.known[key] = played.outcome
        return self.known[key]

    def describe(self) -> str:
        """Trace, model, objective, and what each maker's replicas are."""
        asked = self.experiment.objective
        head = (
            f"{self.trace.name}: {len(self.trace.requests)} requests in {self.trace.length_s:.0f} s; "
            f"{self.experiment.model}; objective {asked.ttft_s or '-'} s to the first token, {asked.tpot_s or '-'} s a "
            f"token after it; seed {self.experiment.seeds[0]}"
        )
        lines = [head]
        for each in {each.recipe.chip: each for each in self.replicas}.values():
            count = sum(other.recipe.chip == each.recipe.chip for other in self.replicas)
            lines.append(
                f"  {count} replicas of {each.recipe.devices} x {each.recipe.chip}, {each.recipe.engine}: "
                f"{each.pace.slots} slots, {each.pace.kv_tokens} tokens of cache, {each.pace.step_tokens} a step; 1,000 "
                f"tokens read in {each.pace.prefill_s(0, 1000, is_first=True):.3f} s, a step of 8 x 1,000 takes "
                f"{each.pace.decode_s(8, 1000):.4f} s"
            )
        return "\n".join(lines)


def make_bed(experiment: str, path: Path, read: Callable[[Path], Trace]) -> Bed:
    """Of a committed experiment and a published trace."""
    found = read_experiment(HERE / experiment)
    return Bed(experiment=found, trace=read(path), replicas=make_replicas(found, load_catalog()))
