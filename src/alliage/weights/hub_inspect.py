"""In the child: makes a model card of a repository of the hub from its file list and the head of its files."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from huggingface_hub.hf_api import ModelInfo, RepoSibling

from alliage.catalog.records import ModelCard, WeightFile, Weights, WeightsFormat
from alliage.errors import BadModelFile, NotFound, WeightsError
from alliage.weights.cards import JSON_BYTES_MAX, config_card, gguf_card, naming, parse_json, read_gguf
from alliage.weights.hub import TIMEOUT_S, hub_errors, read_first
from alliage.weights.jobs import InspectHub
from alliage.weights.safe_files import choose_files, is_pickle, unsafe

PREFERRED: Final = ("Q4_K_M", "Q4_0", "Q8_0", "Q4_K_S", "Q5_K_M", "Q6_K", "Q4_1", "Q5_0", "BF16", "F16", "F32")
"""Of several precisions of one model the first of these is taken when none is named."""
_PART: Final = re.compile(r"-\d{5}-of-\d{5}\.gguf$", re.IGNORECASE)


class _Lfs(Protocol):
    sha256: str


def inspect_hub(job: InspectHub, listed: Callable[[], None]) -> ModelCard:
    """The card; `listed` is called once the hub has told what the repository holds. Raises NotFound, BadModelFile, UnsafeFile, WeightsError."""
    with hub_errors(job.repository):
        try:
            info = HfApi().model_info(
                job.repository, revision=job.revision or None, timeout=TIMEOUT_S, files_metadata=True
            )
        except (HfHubHTTPError, HFValidationError):
            raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:  # the answer is no description of a model
            raise WeightsError(f"the hub's answer about {job.repository} cannot be understood") from error
        if not info.sha:
            raise WeightsError(f"the hub tells no commit of {job.repository}, so it cannot be pinned")
        listed()
        with naming(f"hf:{job.repository}"):
            return _card(job, info, info.sha)


def _card(job: InspectHub, info: ModelInfo, revision: str) -> ModelCard:
    siblings = {sibling.rfilename: sibling for sibling in info.siblings or []}
    names = sorted(siblings)
    ggufs = [name for name in names if name.lower().endswith(".gguf") and "mmproj" not in name.lower()]
    tensors = [name for name in names if name.endswith(".safetensors") and "/" not in name]
    if job.file and job.file not in siblings:
        raise NotFound(f"hf:{job.repository} has no file {job.file!r}", remedy=f"GGUF files: {_listed(ggufs)}")
    if job.file and not job.file.lower().endswith(".gguf"):
        raise WeightsError(f"{job.file} is no GGUF file", remedy=f"GGUF files: {_listed(ggufs)}")
    if job.file or ggufs:
        return _card_of_gguf(job, info, siblings[job.file or _choose(job.repository, ggufs)], revision)
    if tensors and "config.json" in siblings:
        return _card_of_safetensors(job, info, [siblings[name] for name in names], revision)
    if pickles := [name for name in names if is_pickle(name)]:
        raise unsafe(pickles)
    raise BadModelFile(f"it holds no model (it has {_listed(names)})", remedy="name one with GGUF or safetensors files")


def _choose(repository: str, ggufs: Sequence[str]) -> str:
    """The one GGUF file, or the one of the preferred precision."""
    whole = [name for name in ggufs if not _PART.search(name)]
    if len(whole) == 1:
        return whole[0]
    for precision in PREFERRED:
        pattern = re.compile(rf"(^|[^a-z0-9]){precision}\.gguf$", re.IGNORECASE)
        if matches := [name for name in whole if pattern.search(name)]:
            return matches[0]
    raise WeightsError(
        f"hf:{repository} has several GGUF files and none is an obvious choice: {_listed(whole or ggufs)}",
        remedy=f"name one: hf:{repository}#FILE.gguf (a model in one file)",
    )


def _card_of_gguf(job: InspectHub, info: ModelInfo, sibling: RepoSibling, revision: str) -> ModelCard:
    path, size_bytes = sibling.rfilename, sibling.size
    if size_bytes is None:
        raise WeightsError(f"the hub tells no size of {path}")
    with naming(path):
        header = read_gguf(partial(read_first, job.repository, path, revision), size_bytes)
        return gguf_card(
            header,
            _weights(job, WeightsFormat.GGUF, [sibling], revision),
            name=job.repository.partition("/")[2],
            licence=_licence(info),
            remote_code=job.remote_code,
        )


def _card_of_safetensors(job: InspectHub, info: ModelInfo, siblings: list[RepoSibling], revision: str) -> ModelCard:
    chosen = choose_files([sibling.rfilename for sibling in siblings], remote_code=job.remote_code)
    files = [sibling for sibling in siblings if sibling.rfilename in chosen]
    with naming("config.json"):
        config = parse_json(read_first(job.repository, "config.json", revision, JSON_BYTES_MAX + 1))
        return config_card(
            config,
            _weights(job, WeightsFormat.SAFETENSORS, files, revision),
            name=job.repository.partition("/")[2],
            licence=_licence(info),
            values_by_type=_values_by_type(info),
            remote_code=job.remote_code,
        )


def _values_by_type(info: ModelInfo) -> dict[str, int]:
    """How many numbers of each dtype the hub counts in all files; {} where it tells nothing, or nonsense."""
    told: object = info.safetensors.parameters if info.safetensors else None
    pairs = told.items() if isinstance(told, dict) else ()
    return {str(name): count for name, count in pairs if isinstance(count, int) and count >= 0}


def _weights(job: InspectHub, kind: WeightsFormat, files: Sequence[RepoSibling], revision: str) -> Weights:
    return Weights(
        source=f"hf:{job.repository}",
        revision=revision,
        format=kind,
        files=tuple(WeightFile(path=file.rfilename, size_bytes=file.size, sha256=_sha256(file.lfs)) for file in files),
    )


def _sha256(lfs: _Lfs | None) -> str | None:
    return lfs.sha256 if lfs else None


def _licence(info: ModelInfo) -> str:
    """From the tags, as the hub shows it."""
    told = (tag.removeprefix("license:") for tag in info.tags or [] if tag.startswith("license:"))
    return next(told, "unknown")[:200]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "") or "none"
