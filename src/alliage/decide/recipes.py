"""recipes: for a model at a place, each way to run it, and each way that cannot be with its reason. Pure.

The one enumeration of engine, parallelism, precision and size: `fit` asks it of chips, `plan` of nodes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from alliage.catalog.records import Catalog, Chip, Engine, ModelCard, OnStack, Precision, WeightsFormat
from alliage.decide.places import DEGREES, Place
from alliage.decide.reasons import Facts, Reason, ReasonCode, Rejected
from alliage.fleet.replicas import Evidence, Recipe
from alliage.footprint.memory import Footprint, footprint_in, kv_bytes, memory_bytes
from alliage.speed.formats import number_format
from alliage.speed.serving import serving_of

CPU_SHARE: Final = 2
"""A CPU recipe takes one part in this many of the cores: two models fit, and each keeps its threads uncontended."""
SMALL_CONTEXT_TOKENS: Final = 2048
"""What one request is given when the default context at the default concurrency does not fit."""
ALLOTTING: Final = frozenset({"llama.cpp"})
"""Launchers whose engines set aside, when they start, room for every request's whole context; others share pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much a replica is to carry at once: requests, and tokens that each may hold."""

    concurrency: int
    context_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A recipe with the parts of its memory, over all its devices; `usable_bytes` is what weights and KV may fill."""

    recipe: Recipe
    weight_bytes: int
    kv_bytes: int
    usable_bytes: int
    users_max: int | None = None
    """For how many requests of its context there is room, where the engine sets that aside for each; None: they share it."""

    @property
    def devices(self) -> int:
        """Devices that one replica takes."""
        return self.recipe.devices


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """The ways of one model at one place: engines as the catalogue has them, sizes as asked, few devices first."""

    ways: tuple[Way, ...]
    rejected: tuple[Rejected, ...]


def ways(
    model: ModelCard,
    place: Place,
    catalog: Catalog,
    *,
    sizes: Sequence[Size] = (),
    precisions: Sequence[str] = (),
) -> Ways:
    """Every engine at the place with every precision (default: the card's) in every size (default: the engine's own).

    An engine that does not read the model's format is told of only where no engine of the chip's stack does.
    """
    able = [
        (engine, on) for engine in catalog.engines.values() if (on := engine.on_stack(place.chip.stack)) is not None
    ]
    if not able:
        facts: Facts = {"chip": place.chip.id, "stack": place.chip.stack}
        return Ways(ways=(), rejected=(_no(place.where, ReasonCode.NO_ENGINE, facts),))
    reading = [(engine, on) for engine, on in able if model.weights.format in engine.formats]
    found: list[Way] = []
    rejected: list[Rejected] = []
    for engine, on in reading or able:
        refusal = unservable(model, engine, place)
        if refusal is not None:
            rejected.append(Rejected(option=f"{engine.id} on {place.where}", reason=refusal))
            continue
        for precision in precisions or (model.precision,):
            option = f"{engine.id} on {place.where} in {precision}"
            for each in _in_precision(model, place, engine, on, precision, tuple(sizes)):
                if isinstance(each, Way):
                    found.append(each)
                else:
                    rejected.append(Rejected(option=option, reason=each))
    return Ways(ways=tuple(found), rejected=tuple(rejected))


def unservable(model: ModelCard, engine: Engine, place: Place) -> Reason | None:
    """Why the engine cannot serve the model at the place, in whatever precision and size; None when it can."""
    if model.weights.format not in engine.formats:
        formats = ", ".join(engine.formats)
        facts: Facts = {"engine": engine.id, "format": model.weights.format, "formats": formats, "model": model.id}
        return Reason(code=ReasonCode.FORMAT_UNSERVED, facts=facts)
    missing = next((task for task in model.tasks if task not in engine.tasks), None)
    if missing is not None:
        return Reason(code=ReasonCode.TASK_UNSERVED, facts={"engine": engine.id, "task": missing})
    if place.node is not None and place.engines is not None and engine.id not in place.engines:
        return Reason(code=ReasonCode.ENGINE_MISSING, facts={"engine": engine.id, "node": place.node})
    return None


def sized(way: Way, users: int) -> Way:
    """The way for so many requests at once; where the engine sets room aside for each, with the memory for them."""
    recipe = replace(way.recipe, concurrency=users)
    if way.users_max is None:
        return replace(way, recipe=recipe)
    kv = way.kv_bytes // way.recipe.concurrency * users
    recipe = replace(recipe, memory_bytes=recipe.memory_bytes + kv - way.kv_bytes)
    return replace(way, recipe=recipe, kv_bytes=kv)


def default_sizes(model: ModelCard, engine: Engine) -> tuple[Size, ...]:
    """The default size first, then the smallest useful one."""
    context = min(model.architecture.context_tokens, engine.context_tokens_max)
    small = Size(concurrency=1, context_tokens=min(context, SMALL_CONTEXT_TOKENS))
    return tuple(dict.fromkeys((Size(concurrency=engine.slots, context_tokens=context), small)))


def _in_precision(  # noqa: PLR0917 - one way to run a model has so many parts
    model: ModelCard, place: Place, engine: Engine, on: OnStack, precision: str, sizes: tuple[Size, ...]
) -> Iterator[Way | Reason]:
    refusal = _precision_refused(model, place.chip, on, engine, precision)
    if refusal is not None:
        yield refusal
        return
    need = footprint_in(model, engine, precision)
    if need is None or place.device_bytes is None:
        what = f"size of {model.id} in {precision}" if need is None else f"memory of {place.chip.id}"
        yield Reason(code=ReasonCode.FACT_UNKNOWN, facts={"what": what})
        return
    for size in sizes or default_sizes(model, engine):
        yield from _of_size(model, place, engine, on, need, precision, size)


def _of_size(  # noqa: PLR0917 - see above
    model: ModelCard, place: Place, engine: Engine, on: OnStack, need: Footprint, precision: str, size: Size
) -> Iterator[Way | Reason]:
    """Every parallelism that holds the model, fewest devices first; the reason where none does.

    Cores have the memory of their node, so that what is free there is looked at when the recipe is placed.
    """
    if place.cores:
        yield _way(model, place, engine, need, precision, size, (1, 1))
        return
    fitting = [each for each in degrees(model, engine, on, place.devices) if _holds(place, engine, need, size, each)]
    tensor_only = [each for each in fitting if each[1] == 1]
    for each in tensor_only or fitting[:1]:
        yield _way(model, place, engine, need, precision, size, each)
    if not fitting:
        yield _too_large(model, place, engine, on, need, size)


def degrees(model: ModelCard, engine: Engine, on: OnStack, devices: int) -> tuple[tuple[int, int], ...]:
    """(tensor, pipeline) parallel degrees on at most `devices`, fewest devices first, then the widest tensor degree.

    Tensor degrees are those that the engine can run with and that divide the heads; pipeline stages divide no layer.
    """
    allowed = on.tensor_parallel.value or DEGREES
    tensor = [each for each in sorted(allowed) if each <= devices and model.architecture.heads % each == 0]
    stages = range(1, min(devices, model.architecture.layers) + 1) if engine.pipeline_parallel else (1,)
    both = [(each, stage) for each in tensor for stage in stages if each * stage <= devices]
    return tuple(sorted(both, key=lambda each: (each[0] * each[1], -each[0])))


def _holds(place: Place, engine: Engine, need: Footprint, size: Size, degree: tuple[int, int]) -> bool:
    """Whether weights and cache fit into what the engine may fill, and all of it into the devices."""
    count, each = degree[0] * degree[1], place.device_bytes or 0.0
    kv = kv_bytes(need, context_tokens=size.context_tokens, concurrency=size.concurrency)
    return need.weight_bytes + kv <= _usable(place, engine, count) and _memory(need, size, count) <= each * count


def _usable(place: Place, engine: Engine, devices: int) -> float:
    if place.cores:
        return place.device_bytes or 0.0
    each = serving_of(engine.id).usable_bytes(place.device_bytes or 0.0, devices=1, is_large=place.figures.is_large)
    return each * devices


def _memory(need: Footprint, size: Size, devices: int) -> int:
    one = memory_bytes(need, context_tokens=size.context_tokens, concurrency=size.concurrency)
    return one + need.overhead_bytes * (devices - 1)


def _way(  # noqa: PLR0917 - see above
    model: ModelCard, place: Place, engine: Engine, need: Footprint, precision: str, size: Size, degree: tuple[int, int]
) -> Way:
    devices = degree[0] * degree[1]
    recipe = Recipe(
        model=model.id,
        chip=place.chip.id,
        engine=engine.id,
        precision=precision,
        tensor_parallel=degree[0],
        pipeline_parallel=degree[1],
        context_tokens=size.context_tokens,
        concurrency=size.concurrency,
        cores=max(1, place.cores // CPU_SHARE) if place.cores else 0,
        memory_bytes=_memory(need, size, devices),
        evidence=Evidence.ESTIMATED,
    )
    return Way(
        recipe=recipe,
        weight_bytes=need.weight_bytes,
        kv_bytes=kv_bytes(need, context_tokens=size.context_tokens, concurrency=size.concurrency),
        usable_bytes=int(_usable(place, engine, devices)),
        users_max=_users_max(model, place, engine, need, size, devices) if engine.launcher in ALLOTTING else None,
    )


def _users_max(  # noqa: PLR0917 - see above
    model: ModelCard, place: Place, engine: Engine, need: Footprint, size: Size, devices: int
) -> int:
    """How many requests of the size's context fit as `_holds` has it; of cores, whose memory is not looked at, its own.

    Less context than the engine's own is for where that does not fit, and no way to more requests than the engine's own.
    """
    each = kv_bytes(need, context_tokens=size.context_tokens, concurrency=1)
    if place.cores or not each:
        return size.concurrency
    bare = _memory(need, replace(size, concurrency=0), devices)
    room = min(_usable(place, engine, devices) - need.weight_bytes, (place.device_bytes or 0.0) * devices - bare)
    is_less = size.context_tokens < min(model.architecture.context_tokens, engine.context_tokens_max)
    return max(size.concurrency, min(int(room // each), engine.slots) if is_less else int(room // each))


def _precision_refused(model: ModelCard, chip: Chip, on: OnStack, engine: Engine, precision: str) -> Reason | None:
    """Why weights in this precision are not served there: said so, or nothing is known; None when they are.

    16 bits may be served as either of both formats, so a source that serves one of them is enough; of what is refused,
    only what is said of the precision itself is told. GGUF's own formats are read by every engine that reads GGUF.
    """
    if model.weights.format is WeightsFormat.GGUF:
        return None
    kinds = _kinds(precision)
    known = {kind: serving for kind in kinds if (serving := on.serving(kind, chip.id)) is not None}
    if any(serving.served.value for serving in known.values()):
        return None
    facts: Facts = {"engine": engine.id, "chip": chip.id, "precision": precision}
    itself = known.get(kinds[0]) if kinds else None
    if itself is None or itself.served.value is None:
        return Reason(code=ReasonCode.PRECISION_UNKNOWN, facts=facts)
    refused = {kind.value for kind, serving in known.items() if serving.served.value is False}
    instead = itself.instead if itself.instead.lower() not in refused else ""
    return Reason(code=ReasonCode.PRECISION_UNSERVED, facts={**facts, "instead": instead})


def _kinds(precision: str) -> tuple[Precision, ...]:
    """The precisions of the engines' tables that a format stands for, its own first; 16 bits may be either of both."""
    form = number_format(precision)
    if form is None:
        return ()
    if precision.upper() in {"BF16", "FP16", "F16"}:
        return form.computes[:2]
    return form.computes[:1]


def _too_large(  # noqa: PLR0917 - see above
    model: ModelCard, place: Place, engine: Engine, on: OnStack, need: Footprint, size: Size
) -> Reason:
    kv = kv_bytes(need, context_tokens=size.context_tokens, concurrency=size.concurrency)
    usable = max(1, int(_usable(place, engine, 1)))
    facts: Facts = {
        "weight_bytes": need.weight_bytes,
        "kv_bytes": kv,
        "context_tokens": size.context_tokens,
        "concurrency": size.concurrency,
        "device_bytes": usable,
        "devices": max((one * two for one, two in degrees(model, engine, on, place.devices)), default=1),
        "needed": -(-(need.weight_bytes + kv) // usable),
        "node": place.node or "",
        "chip": place.chip.id,
    }
    return Reason(code=ReasonCode.DEVICES_SHORT, facts=facts)


def _no(option: str, code: ReasonCode, facts: Facts) -> Rejected:
    return Rejected(option=option, reason=Reason(code=code, facts=facts))
