"""How engines use a device's memory and how many sequences they take: facts of serving.toml, not fitted."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType

from alliage.errors import BadInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """An engine's share of a device, the bytes it keeps free on each beside that, and the sequences it runs at most.

    The `large` figures are those of devices with 70 GiB or more and FP8 units, where vLLM takes larger steps.
    """

    memory_share: float
    reserve_bytes: float
    reserve_large_bytes: float
    slots: int
    slots_large: int
    step_tokens: int
    step_tokens_large: int
    """Tokens that one step takes at most: those decoded, and of prompts what is left (chunked prefill)."""

    def usable_bytes(self, memory_bytes: float, *, devices: int, is_large: bool) -> float:
        """What weights and KV cache may fill of `memory_bytes` over so many devices."""
        reserve = self.reserve_large_bytes if is_large else self.reserve_bytes
        return memory_bytes * self.memory_share - devices * reserve


@lru_cache(maxsize=1)
def servings() -> Mapping[str, Serving]:
    """By engine; `default` for the others."""
    return parse_servings((files("alliage.speed") / "serving.toml").read_text(encoding="utf-8"))


def serving_of(engine: str) -> Serving:
    """The engine's, or the default."""
    known = servings()
    return known.get(engine, known["default"])


def parse_servings(text: str) -> Mapping[str, Serving]:
    """The servings in a TOML text; BadInput for one that does not hold them."""
    try:
        return MappingProxyType({engine: _serving(table) for engine, table in tomllib.loads(text).items()})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(f"the engines' use of memory (serving.toml) is wrong: {error!r}") from error


def _serving(table: Mapping[str, float]) -> Serving:
    share, reserve, slots = float(table["memory_share"]), table.get("reserve_gb", 0.0), int(table["slots"])
    if not 0 < share <= 1 or reserve < 0 or slots < 1 or int(table["step_tokens"]) < 1:
        raise ValueError(
            f"memory_share {share}, reserve_gb {reserve}, slots {slots}, step_tokens {table['step_tokens']}"
        )
    return Serving(
        memory_share=share,
        reserve_bytes=reserve * 1e9,
        reserve_large_bytes=table.get("reserve_large_gb", reserve) * 1e9,
        slots=slots,
        slots_large=int(table.get("slots_large", slots)),
        step_tokens=int(table["step_tokens"]),
        step_tokens_large=int(table.get("step_tokens_large", table["step_tokens"])),
    )
