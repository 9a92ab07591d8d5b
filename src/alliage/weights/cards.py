"""Builds model cards from the headers of model files, wherever their bytes are."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from alliage.catalog.records import ModelCard, Weights
from alliage.errors import BadModelFile
from alliage.footprint.gguf import HEADER_BYTES_MAX, GgufHeader, HeaderCut, read_gguf_header
from alliage.footprint.gguf_facts import architecture_of, precision_of, tasks_of, text_of
from alliage.footprint.hf_config import architecture_of_config, precision_of_config, tasks_of_config
from alliage.footprint.safetensors import precision_of_types
from alliage.weights.references import slug

FIRST_BYTES: Final = 1024**2
"""What is read of a file at first; four times as much each time that its header is longer."""

JSON_BYTES_MAX: Final = 32 * 1024**2

Header = TypeVar("Header")


@contextmanager
def naming(what: Path | str) -> Iterator[None]:
    """Puts `what` before the message of a BadModelFile."""
    try:
        yield
    except BadModelFile as error:
        raise BadModelFile(f"{what}: {error.message}", remedy=error.remedy) from error


def read_header(
    parse: Callable[[bytes], Header],
    read: Callable[[int], bytes],
    size_bytes: int,
) -> Header:
    """The header of a file of `size_bytes`, of which `read(n)` gives the first n; raises BadModelFile."""
    count = FIRST_BYTES
    while True:
        try:
            return parse(read(min(count, size_bytes)))
        except HeaderCut as cut:
            if count >= size_bytes:
                raise BadModelFile(f"it is cut off: it has {size_bytes} bytes and its header is longer") from cut
            if count >= HEADER_BYTES_MAX:
                raise BadModelFile(f"its header is longer than {HEADER_BYTES_MAX} bytes") from cut
            count *= 4


def read_gguf(read: Callable[[int], bytes], size_bytes: int) -> GgufHeader:
    """The header of a whole, single GGUF file; raises BadModelFile for one that is cut off or a part of several."""
    header = read_header(read_gguf_header, read, size_bytes)
    if size_bytes < header.file_bytes_min:
        raise BadModelFile(
            f"it is cut off: it has {size_bytes} bytes, its tensors need {header.file_bytes_min}",
            remedy="fetch or copy it again",
        )
    parts = header.metadata.get("split.count", 1)
    if isinstance(parts, int) and parts > 1:
        raise BadModelFile(
            f"it is one of {parts} parts, and Alliage takes a model in one GGUF file",
            remedy="join them with `llama-gguf-split --merge`",
        )
    return header


def gguf_card(header: GgufHeader, weights: Weights, *, name: str, licence: str, remote_code: bool) -> ModelCard:
    """A card from a GGUF header. `name` and `licence` are used where the header has none."""
    name = text_of(header, "general.name") or name
    return ModelCard(
        id=slug(name),
        name=name,
        licence=text_of(header, "general.license") or licence,
        precision=precision_of(header),
        tasks=tasks_of(header),
        architecture=architecture_of(header),
        weights=weights,
        remote_code=remote_code,
    )


def config_card(
    config: Mapping[str, object],
    weights: Weights,
    *,
    name: str,
    licence: str,
    values_by_type: Mapping[str, int],
    remote_code: bool,
) -> ModelCard:
    """A card from a config.json. Name, licence and how many numbers of which dtype the files hold are not in there."""
    precision = precision_of_config(config)
    return ModelCard(
        id=slug(name),
        name=name,
        licence=licence,
        precision=precision_of_types(values_by_type) if precision == "unknown" else precision,
        tasks=tasks_of_config(config),
        architecture=architecture_of_config(config, parameters=sum(values_by_type.values())),
        weights=weights,
        remote_code=remote_code,
    )


def parse_json(data: bytes) -> Mapping[str, object]:
    """The object in JSON bytes; raises BadModelFile."""
    if len(data) > JSON_BYTES_MAX:
        raise BadModelFile(f"it is larger than {JSON_BYTES_MAX} bytes")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadModelFile(f"it is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadModelFile("it is not a JSON object")
    return value
