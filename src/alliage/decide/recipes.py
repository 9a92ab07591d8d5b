"""recipes: for a model on a device's chip, each way to run it, and each way that cannot be with its reason."""

from dataclasses import dataclass
from typing import Final

from alliage.catalog.records import Catalog, Chip, Engine, ModelCard, Sharing
from alliage.decide.reasons import Reason, ReasonCode, Rejected
from alliage.decide.room import Room
from alliage.fleet.nodes import Node
from alliage.fleet.replicas import Evidence, Recipe
from alliage.footprint.memory import Footprint, footprint, kv_bytes, memory_bytes

CPU_SHARE: Final = 2
"""A CPU recipe takes one part in this many of the cores: two models fit, and each keeps its threads uncontended."""
SMALL_CONTEXT_TOKENS: Final = 2048
"""What one request is given when the default context at the default concurrency does not fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """The recipes of one model on one device, best first, and why the other engines cannot serve it there."""

    recipes: tuple[Recipe, ...]
    rejected: tuple[Rejected, ...]


def candidates(model: ModelCard, node: Node, room: Room, catalog: Catalog) -> Candidates:
    """The engines of the catalogue against this device; memory and cores are looked at by `fits`.

    Engines that do not read the model's format or do not run on the chip are told of only where none does both.
    """
    chip = catalog.chips.get(room.device.chip)
    if chip is None:
        unknown = Reason(code=ReasonCode.CHIP_UNKNOWN, facts={"chip": room.device.chip, "node": node.id})
        return Candidates(recipes=(), rejected=(Rejected(option=room.id, reason=unknown),))
    recipes: list[Recipe] = []
    rejected: list[Rejected] = []
    both = [each for each in catalog.engines.values() if _reads(each, model) and chip.stack in each.stacks]
    for engine in both or catalog.engines.values():
        reason = unservable(model, engine, chip, node)
        if reason is not None:
            rejected.append(Rejected(option=f"{engine.id} on {chip.id} at {node.id}", reason=reason))
        else:
            recipes.extend(_sizes(model, engine, chip, len(room.device.cores)))
    return Candidates(recipes=tuple(recipes), rejected=tuple(rejected))


def unservable(model: ModelCard, engine: Engine, chip: Chip, node: Node) -> Reason | None:
    """Why the engine cannot serve the model on this chip at this node, whatever room there is; None when it can."""
    unread = format_unserved(model, engine)
    if unread is not None:
        return unread
    if chip.stack not in engine.stacks:
        return Reason(code=ReasonCode.STACK_UNSERVED, facts={"engine": engine.id, "chip": chip.id, "stack": chip.stack})
    missing = next((task for task in model.tasks if task not in engine.tasks), None)
    if missing is not None:
        return Reason(code=ReasonCode.TASK_UNSERVED, facts={"engine": engine.id, "task": missing})
    if all(found.engine != engine.id for found in node.engines):
        return Reason(code=ReasonCode.ENGINE_MISSING, facts={"engine": engine.id, "node": node.id})
    return None


def format_unserved(model: ModelCard, engine: Engine) -> Reason | None:
    """Why the engine cannot read the model's files; None when it can."""
    if _reads(engine, model):
        return None
    formats = ", ".join(engine.formats)
    facts = {"engine": engine.id, "format": model.weights.format, "formats": formats, "model": model.id}
    return Reason(code=ReasonCode.FORMAT_UNSERVED, facts=facts)


def _reads(engine: Engine, model: ModelCard) -> bool:
    return model.weights.format in engine.formats


def _sizes(model: ModelCard, engine: Engine, chip: Chip, cores: int) -> list[Recipe]:
    """The default size first, then the smallest useful one."""
    context = min(model.architecture.context_tokens, engine.context_tokens_max)
    sizes = [(engine.slots, context), (1, min(context, SMALL_CONTEXT_TOKENS))]
    need = footprint(model, engine)
    return [
        Recipe(
            model=model.id,
            chip=chip.id,
            engine=engine.id,
            precision=model.precision,
            tensor_parallel=1,
            pipeline_parallel=1,
            context_tokens=tokens,
            concurrency=slots,
            cores=max(1, cores // CPU_SHARE) if chip.sharing is Sharing.CORES else 0,
            memory_bytes=memory_bytes(need, context_tokens=tokens, concurrency=slots),
            evidence=Evidence.ESTIMATED,
        )
        for slots, tokens in dict.fromkeys(sizes)
    ]


def short_of(recipe: Recipe, room: Room, need: Footprint) -> Reason | None:
    """What the device lacks for one more replica of the recipe; None when it fits."""
    if recipe.memory_bytes > room.memory_bytes:
        kv = kv_bytes(need, context_tokens=recipe.context_tokens, concurrency=recipe.concurrency)
        return Reason(
            code=ReasonCode.MEMORY_SHORT,
            facts={
                "node": room.node,
                "device": room.id,
                "needed_bytes": recipe.memory_bytes,
                "free_bytes": room.memory_bytes,
                "total_bytes": room.device.memory_bytes,
                "weight_bytes": need.weight_bytes,
                "kv_bytes": kv,
            },
        )
    if recipe.cores > len(room.cores):
        return Reason(
            code=ReasonCode.CORES_SHORT,
            facts={
                "node": room.node,
                "device": room.id,
                "needed": recipe.cores,
                "free": len(room.cores),
                "total": len(room.device.cores),
                "holders": ", ".join(room.holders),
            },
        )
    return None
