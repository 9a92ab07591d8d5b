"""Model cards of files and folders on this machine. Reads headers only; blocking, for a thread."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Final

from alliage.catalog.records import ModelCard, WeightFile, Weights, WeightsFormat
from alliage.errors import BadModelFile
from alliage.footprint.safetensors import read_safetensors_header
from alliage.weights.cards import JSON_BYTES_MAX, config_card, gguf_card, naming, parse_json, read_gguf, read_header
from alliage.weights.safe_files import choose_files, is_pickle, unsafe

FILES_MAX: Final = 10_000


def card_of_path(path: Path, *, remote_code: bool) -> ModelCard:
    """The card of a GGUF file, or of a folder with one GGUF file or a Hugging Face model.

    Raises BadModelFile for what is none or is cut off, UnsafeFile for a folder of pickles; both name the path.
    """
    with _reading(path):
        if path.is_dir():
            return _card_of_folder(path, remote_code=remote_code)
        if not path.exists():
            raise BadModelFile("there is no such file or folder", remedy="check the path and who may read it")
        if not path.is_file():
            raise BadModelFile("it is neither a file nor a folder")
        if path.suffix.lower() != ".gguf":
            raise BadModelFile("it is no GGUF file (their names end in .gguf)", remedy="name a GGUF file or a folder")
        return card_of_gguf(path, remote_code=remote_code)


def card_of_gguf(path: Path, *, remote_code: bool) -> ModelCard:
    """The card of one GGUF file; raises BadModelFile, OSError."""
    size_bytes = path.stat().st_size
    weights = Weights(
        source=f"file:{path}",
        revision="",
        format=WeightsFormat.GGUF,
        files=(WeightFile(path=path.name, size_bytes=size_bytes, sha256=None),),
    )
    header = read_gguf(_reader(path), size_bytes)
    return gguf_card(header, weights, name=path.stem, licence="unknown", remote_code=remote_code)


@contextmanager
def _reading(path: Path | str) -> Iterator[None]:
    """Puts the path before the message of a BadModelFile, and turns a failing read into one."""
    with naming(path):
        try:
            yield
        except OSError as error:
            raise BadModelFile(f"it cannot be read: {error.strerror or error}") from error


def _reader(path: Path) -> Callable[[int], bytes]:
    def read(count: int) -> bytes:
        with path.open("rb") as file:
            return file.read(count)

    return read


def _card_of_folder(folder: Path, *, remote_code: bool) -> ModelCard:
    names = _names(folder)
    ggufs = [name for name in names if name.lower().endswith(".gguf") and not name.lower().startswith("mmproj")]
    tensors = [name for name in names if name.endswith(".safetensors")]
    if len(ggufs) == 1:
        card = card_of_gguf(folder / ggufs[0], remote_code=remote_code)
    elif ggufs:
        raise BadModelFile(f"it has several GGUF files: {_listed(ggufs)}", remedy="name one of them")
    elif tensors and "config.json" in names:
        card = _card_of_safetensors(folder, names, remote_code=remote_code)
    elif not tensors and (pickles := [name for name in names if is_pickle(name)]):
        raise unsafe([str(folder / name) for name in pickles])
    else:
        missing = "no config.json beside its safetensors files" if tensors else f"no model (it has {_listed(names)})"
        raise BadModelFile(f"there is {missing}", remedy="name a GGUF file or a Hugging Face folder")
    return card


def _names(folder: Path) -> list[str]:
    """Paths of its files, at the top and one folder down, relative to it."""
    found = (entry for pattern in ("*", "*/*") for entry in folder.glob(pattern) if entry.is_file())
    entries = list(islice(found, FILES_MAX + 1))
    if len(entries) > FILES_MAX:
        raise BadModelFile(f"it has more than {FILES_MAX} files", remedy="name the model's own folder")
    return sorted(entry.relative_to(folder).as_posix() for entry in entries)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "") or "no files"


def _card_of_safetensors(folder: Path, names: list[str], *, remote_code: bool) -> ModelCard:
    config = read_json(folder / "config.json")
    chosen = choose_files(names, remote_code=remote_code)
    _check_shards(folder, names)
    values: Counter[str] = Counter()
    for name in chosen:
        if name.endswith(".safetensors"):
            values.update(_values_by_type(folder / name))
    weights = Weights(
        source=f"file:{folder}",
        revision="",
        format=WeightsFormat.SAFETENSORS,
        files=tuple(WeightFile(path=name, size_bytes=(folder / name).stat().st_size, sha256=None) for name in chosen),
    )
    return config_card(
        config, weights, name=folder.name, licence="unknown", values_by_type=values, remote_code=remote_code
    )


def _values_by_type(path: Path) -> Mapping[str, int]:
    """How many numbers of each dtype a safetensors file holds; raises BadModelFile where it is cut off."""
    size_bytes = path.stat().st_size
    with naming(path.name):
        header = read_header(read_safetensors_header, _reader(path), size_bytes)
        if size_bytes < header.file_bytes_min:
            raise BadModelFile(f"it is cut off: it has {size_bytes} bytes, its tensors need {header.file_bytes_min}")
    return header.values_by_type


def _check_shards(folder: Path, names: list[str]) -> None:
    """Raises BadModelFile when the index names a weight file that is not there."""
    index = "model.safetensors.index.json"
    if index not in names:
        return
    weight_map = read_json(folder / index).get("weight_map")
    shards = {str(shard) for shard in weight_map.values()} if isinstance(weight_map, dict) else set()
    if missing := sorted(shards.difference(names)):
        raise BadModelFile(f"weight files are missing: {_listed(missing)}", remedy="fetch or copy them again")


def read_json(path: Path) -> Mapping[str, object]:
    """The object in a JSON file; raises BadModelFile."""
    with _reading(path.name), path.open("rb") as file:
        return parse_json(file.read(JSON_BYTES_MAX + 1))
