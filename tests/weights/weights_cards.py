"""Cards for tests of fetching, where only the weights matter, and a record of progress."""

import hashlib
from dataclasses import dataclass, field

from alliage.catalog.records import Architecture, ModelCard, Task, WeightFile, Weights, WeightsFormat


def file_of(path: str, data: bytes, *, sha256: str | None = None) -> WeightFile:
    """The file as a right card tells it, or with another hash."""
    return WeightFile(path=path, size_bytes=len(data), sha256=sha256 or hashlib.sha256(data).hexdigest())


def card(
    source: str,
    *files: WeightFile,
    revision: str = "",
    kind: WeightsFormat = WeightsFormat.GGUF,
    remote_code: bool = False,
) -> ModelCard:
    """A card of these files."""
    return ModelCard(
        id="m",
        name="M",
        licence="MIT",
        precision="F32",
        tasks=(Task.CHAT,),
        architecture=Architecture(
            family="f",
            parameters=1,
            layers=1,
            hidden=1,
            heads=1,
            kv_heads=1,
            head_dim=1,
            vocabulary=1,
            context_tokens=1,
        ),
        weights=Weights(source=source, revision=revision, format=kind, files=files),
        remote_code=remote_code,
    )


@dataclass
class Steps:
    """Remembers what a fetch told of its progress."""

    told: list[tuple[int, int]] = field(default_factory=list)

    def __call__(self, done: int, total: int) -> None:
        """One step."""
        self.told.append((done, total))
