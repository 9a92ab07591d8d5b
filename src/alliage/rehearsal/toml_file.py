"""A TOML file that a person wrote, as one pydantic table: every mistake names file, field and value."""

import tomllib
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from alliage.errors import BadInput

FILE_BYTES_MAX: Final = 1024 * 1024
Table = TypeVar("Table", bound=BaseModel)


def read_table(path: Path, table: type[Table], *, examples: str) -> Table:
    """The table of a file; `examples` is the folder that has some. Raises BadInput."""
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
        if len(raw) > FILE_BYTES_MAX:
            raise BadInput(f"{path} is larger than {FILE_BYTES_MAX} bytes", remedy="name a file that a person wrote")
        return table.model_validate(tomllib.loads(raw.decode()))
    except OSError as error:
        message = f"{path} cannot be read ({error.strerror})"
        raise BadInput(message, remedy=f"name a TOML file; {examples} has some") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is no TOML: {error}", remedy="mend that line") from error
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in fault["loc"])
        value = fault.get("input")
        shown = "" if isinstance(value, dict | list | tuple) else f" is {value!r}"
        raise BadInput(f"{path}: {where}{shown}: {fault['msg']}", remedy="mend it in the file") from error
