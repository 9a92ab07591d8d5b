"""Reading single fields of a config.json: every number is checked before it is used. No facts about families here."""

from collections.abc import Mapping
from typing import Final

from alliage.errors import BadModelFile

COUNT_MAX: Final = 2**31
LIST_MAX: Final = 100_000

Config = Mapping[str, object]


def text_part(config: Config) -> Config:
    """The part that holds the language model: `text_config` of models of several parts, else the whole."""
    part = config.get("text_config")
    return part if isinstance(part, dict) else config


def count_of(config: Config, *keys: str, default: int | None = None) -> int:
    """The number (from 1) under the first of `keys` that is there; null counts as not there. Raises BadModelFile."""
    key = next((key for key in keys if config.get(key) is not None), keys[0])
    value = config.get(key)
    if value is None:
        value = default
    if value is None:
        raise BadModelFile(f"{key} is missing")
    return _whole(key, value, least=1)


def count_or_none(config: Config, *keys: str, least: int = 1) -> int | None:
    """As `count_of`, None where none of `keys` is there; `least` may be 0."""
    key = next((key for key in keys if config.get(key) is not None), None)
    return None if key is None else _whole(key, config[key], least=least)


def flag_of(config: Config, key: str, *, default: bool) -> bool:
    """A yes or no; raises BadModelFile for anything else."""
    value = config.get(key)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise BadModelFile(f"{key} is {value!r:.80}, not true or false")
    return value


def words_of(config: Config, key: str) -> tuple[str, ...]:
    """A list of words, () where it is not there; raises BadModelFile for anything else."""
    value = config.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > LIST_MAX or not all(isinstance(word, str) for word in value):
        raise BadModelFile(f"{key} is {value!r:.80}, not a list of at most {LIST_MAX} words")
    return tuple(value)


def numbers_of(config: Config, key: str) -> tuple[int, ...]:
    """A list of whole numbers from 0, () where it is not there; raises BadModelFile for anything else."""
    value = config.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > LIST_MAX:
        raise BadModelFile(f"{key} is {value!r:.80}, not a list of at most {LIST_MAX} numbers")
    return tuple(_whole(key, each, least=0) for each in value)


def _whole(key: str, value: object, *, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= COUNT_MAX:
        raise BadModelFile(f"{key} is {value!r:.80}, not a whole number from {least} to {COUNT_MAX}")
    return value
