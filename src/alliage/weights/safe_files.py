"""Which files of a model may be taken: those that cannot run code. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final

from alliage.errors import UnsafeFile, WeightsError
from alliage.weights.references import is_inside

TENSOR_SUFFIXES: Final = (".safetensors", ".gguf")
PICKLE_SUFFIXES: Final = (
    ".bin",
    ".pt",
    ".pth",
    ".pkl",
    ".pickle",
    ".ckpt",
    ".h5",
    ".msgpack",
    ".joblib",
    ".npy",
    ".npz",
)
_TEXT_SUFFIXES: Final = (".json", ".jinja", ".tiktoken", ".model")
_TEXT_NAMES: Final = frozenset({"vocab.txt", "merges.txt", "tokenizer.txt"})


def is_pickle(path: str) -> bool:
    """Whether it is of a format that runs code when it is read, or may."""
    return path.lower().endswith(PICKLE_SUFFIXES)


def is_allowed(path: str, *, remote_code: bool) -> bool:
    """Whether it is weights, a configuration or a tokenizer; Python only where an admin allowed it."""
    name = path.rpartition("/")[2].lower()
    safe = name.endswith(TENSOR_SUFFIXES + _TEXT_SUFFIXES) or name in _TEXT_NAMES
    return safe or (remote_code and name.endswith(".py"))


def check_allowed(paths: Iterable[str], *, remote_code: bool) -> None:
    """Raises UnsafeFile for a file of another kind, WeightsError for a path that leaves its folder."""
    for path in paths:
        if not is_inside(path):
            raise WeightsError(f"the model card names the file {path!r}, which is not inside its source")
        if not is_allowed(path, remote_code=remote_code):
            raise unsafe([path])


def unsafe(paths: Sequence[str]) -> UnsafeFile:
    """The refusal of these files."""
    named = ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")
    return UnsafeFile(
        f"{named}: files of this kind can run code when they are read",
        remedy="take the model as GGUF or safetensors (Python files only with remote code allowed by an admin)",
    )


def choose_files(paths: Sequence[str], *, remote_code: bool) -> tuple[str, ...]:
    """Of a safetensors model's files those that an engine reads: at the top, and configurations one folder down.

    Weights kept twice (`consolidated*` beside `model*`) are taken once.
    """
    allowed = [path for path in paths if is_allowed(path, remote_code=remote_code) and not path.endswith(".gguf")]
    chosen = [path for path in allowed if "/" not in path or (path.count("/") == 1 and path.endswith("/config.json"))]
    if any(path.startswith("model") and path.endswith(".safetensors") for path in chosen):
        chosen = [path for path in chosen if not path.startswith("consolidated")]
    return tuple(sorted(chosen))
