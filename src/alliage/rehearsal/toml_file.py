"""A TOML file that a person wrote, as one pydantic table: every mistake names file, field and value."""

import tomllib
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from alliage.errors import BadInput

FILE_BYTES_MAX: Final = 1024 * 1024
Table = TypeVar("Table", bound=BaseModel)


def read_table(path: Path, table: type[Table], *, examples: str, bytes_max: int = FILE_BYTES_MAX) -> Table:
    """The table of a file; `examples` is the folder that has some. Raises BadInput."""
    try:
        with path.open("rb") as file:
            raw = file.read(bytes_max + 1)
        if len(raw) > bytes_max:
            raise BadInput(f"{path} is larger than {bytes_max} bytes", remedy="name a file that a person wrote")
        return table.model_validate(tomllib.loads(raw.decode()))
    except OSError as error:
        message = f"{path} cannot be read ({error.strerror})"
        raise BadInput(message, remedy=f"name a TOML file; {examples} has some") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is no TOML: {error}", remedy="mend that line") from error
    except ValidationError as error:
        raise BadInput(_first_fault(path, error), remedy="mend it in the file") from error


def _first_fault(path: Path, error: ValidationError) -> str:
    """`work.toml: services[0].demand_rps is -1: Input should be greater than or equal to 0`."""
    faults = error.errors(include_url=False)
    fault = next((each for each in faults if each["type"] == "extra_forbidden"), faults[0])  # a typo explains the rest
    field = ""
    for part in fault["loc"]:
        field += f"[{part}]" if isinstance(part, int) else f".{part}" if field else str(part)
    value = fault.get("input")
    shown = "" if isinstance(value, dict | list | tuple) else f" is {value!r}"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{path}: {field}{shown}: {fault['msg']}{more}"
