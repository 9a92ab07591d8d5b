"""Reads the catalogue's TOML files, those in the package and then a user's, into one frozen Catalog.

A wrong file is a BadInput that names the file, the field and the value; nothing is skipped in silence.
"""

import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol, TypeVar

from pydantic import ValidationError

from alliage.catalog.chip_schema import ChipFile, StackFile
from alliage.catalog.engine_schema import EngineFile
from alliage.catalog.model_schema import ModelFile
from alliage.catalog.records import Catalog, Chip, Engine, ModelCard, Stack
from alliage.errors import BadInput

__all__ = ["Catalog", "load_catalog"]

FILE_BYTES_MAX: Final = 1024**2

Record = TypeVar("Record", Chip, Stack, Engine, ModelCard)
Record_co = TypeVar("Record_co", covariant=True)


class _Entry(Protocol[Record_co]):
    def to_record(self) -> Record_co: ...


class _Schema(Protocol[Record_co]):
    def model_validate(self, obj: object, /) -> _Entry[Record_co]: ...


def load_catalog(*extra: Path) -> Catalog:
    """The catalogue of this version, with the user's: files under each of `extra`/{chips,stacks,engines,models} add to it.

    An entry in a later folder replaces the one of the same id; a folder that is not there adds nothing. Raises BadInput for
    a file that cannot be read or does not hold what it should, and for a name of a stack that is not there.
    """
    folders: list[Traversable] = [files("alliage.catalog") / "data", *extra]
    origins: _Origins = {}
    catalog = Catalog(
        chips=_load_kind(folders, "chips", ChipFile, origins),
        stacks=_load_kind(folders, "stacks", StackFile, origins),
        engines=_load_kind(folders, "engines", EngineFile, origins),
        models=_load_kind(folders, "models", ModelFile, origins),
    )
    _check_stacks(catalog, origins)
    _check_chips(catalog, origins)
    return catalog


_Origins = dict[tuple[str, str], Traversable]
"""The file that each entry came from, by kind and id."""


def _load_kind(
    folders: list[Traversable], kind: str, schema: _Schema[Record], origins: _Origins
) -> Mapping[str, Record]:
    found: dict[str, Record] = {}
    for folder in folders:
        came_from: dict[str, Traversable] = {}
        for file in _toml_files(folder / kind):
            record = _load_file(file, schema)
            if record.id in came_from:
                raise BadInput(
                    f"{file} and {came_from[record.id]} both have the id {record.id!r}",
                    remedy="give one of them another id",
                )
            came_from[record.id] = origins[kind, record.id] = file
            found[record.id] = record
    return MappingProxyType(dict(sorted(found.items())))


def _toml_files(folder: Traversable) -> Iterator[Traversable]:
    try:
        entries = sorted(folder.iterdir(), key=lambda entry: entry.name) if folder.is_dir() else []
    except OSError as error:
        raise BadInput(f"the catalogue folder {folder} cannot be read: {error.strerror}") from error
    return (entry for entry in entries if entry.name.endswith(".toml") and not entry.name.startswith("."))


def _load_file(file: Traversable, schema: _Schema[Record]) -> Record:
    try:
        return schema.model_validate(tomllib.loads(_read_text(file))).to_record()
    except OSError as error:
        raise BadInput(f"the catalogue file {file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"the catalogue file {file} is not UTF-8 text: {error.reason} at byte {error.start}") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadInput(f"the catalogue file {file} is not TOML: {error}") from error
    except ValidationError as error:
        raise BadInput(f"the catalogue file {file} is wrong: {_describe(error)}") from error


def _read_text(file: Traversable) -> str:
    with file.open("rb") as stream:
        data = stream.read(FILE_BYTES_MAX + 1)
    if len(data) > FILE_BYTES_MAX:
        raise BadInput(f"the catalogue file {file} is larger than {FILE_BYTES_MAX} bytes")
    return data.decode()


def _describe(error: ValidationError) -> str:
    """`field`: what is wrong with it (value), for each field."""
    return "; ".join(
        f"`{'.'.join(map(str, item['loc'])) or 'file'}`: {item['msg'].removeprefix('Value error, ')}"
        + (f" (it has {str(item['input'])[:80]!r})" if item["type"] != "missing" else "")
        for item in error.errors(include_url=False)
    )


def _check_stacks(catalog: Catalog, origins: _Origins) -> None:
    named = [(origins["chips", chip.id], "stack", chip.stack) for chip in catalog.chips.values()]
    for stack in catalog.stacks.values():
        named += [(origins["stacks", stack.id], "imitates", other) for other in stack.imitates]
    for engine in catalog.engines.values():
        named += [(origins["engines", engine.id], "stacks", other) for other in engine.stacks]
    for file, field, name in named:
        if name not in catalog.stacks:
            raise BadInput(
                f"the catalogue file {file} is wrong: `{field}` names the stack {name!r}, which is not there",
                remedy=f"stacks: {', '.join(catalog.stacks)}",
            )


def _check_chips(catalog: Catalog, origins: _Origins) -> None:
    """Chips that an engine names for what holds on a stack are chips of that stack."""
    for engine in catalog.engines.values():
        for table in engine.on:
            for name in (*table.chip_images, *(name for entry in table.precisions for name in entry.chips)):
                chip = catalog.chips.get(name)
                if chip is None or chip.stack != table.stack:
                    known = ", ".join(each.id for each in catalog.chips.values() if each.stack == table.stack)
                    raise BadInput(
                        f"the catalogue file {origins['engines', engine.id]} is wrong: it names the chip {name!r}, "
                        f"which is not one of the stack {table.stack!r}",
                        remedy=f"chips of that stack: {known or 'none'}",
                    )
