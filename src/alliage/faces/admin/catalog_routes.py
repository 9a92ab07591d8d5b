"""Routes of the catalogue's facts: chips and the stacks under them."""

from collections.abc import Mapping
from difflib import get_close_matches

from fastapi import APIRouter

from alliage.catalog.records import Chip, Fact, Stack
from alliage.control.desk import Desk
from alliage.errors import NotFound
from alliage.faces.admin.access import Asked, Caller
from alliage.faces.admin.catalog_answers import ChipAnswer, ChipDetailAnswer, ChipsAnswer, FactAnswer, StackAnswer

router = APIRouter(prefix="/v1", tags=["catalogue"])


@router.get("/chips", summary="List the catalogue's chips")
async def chips(
    desk: Asked,
    _key: Caller,
    maker: str = "",
    here: bool = False,  # noqa: FBT001, FBT002 - a query parameter
) -> ChipsAnswer:
    """All chips, those of one `maker`, or only those that a connected node has (`here`)."""
    devices = _devices(desk)
    found = sorted(desk.catalog().chips.values(), key=lambda chip: (chip.maker.lower(), chip.id))
    if maker:
        found = [chip for chip in found if chip.maker.lower() == maker.lower()] or _no_maker(maker, found)
    rows = (tell_chip(chip, devices.get(chip.id, ())) for chip in found if not here or chip.id in devices)
    return ChipsAnswer(chips=tuple(rows))


@router.get("/chips/{chip}", summary="Every fact of a chip")
async def one_chip(chip: str, desk: Asked, _key: Caller) -> ChipDetailAnswer:
    """Each value with its source and its confidence, and the software under the chip."""
    catalog = desk.catalog()
    found = catalog.chips.get(chip)
    if found is None:
        raise no_such("chip", chip, catalog.chips)
    return ChipDetailAnswer(
        chip=tell_chip(found, _devices(desk).get(found.id, ())), stack=tell_stack(catalog.stacks[found.stack])
    )


def no_such(kind: str, name: str, known: Mapping[str, object]) -> NotFound:
    """The error for a `chip` or `model` that the catalogue does not have, with what may have been meant."""
    near = near_names(name, known)
    remedy = f"did you mean {' or '.join(near)}?" if near else f"`alliage {kind}s` lists them"
    return NotFound(f"there is no {kind} {name!r} in the catalogue", remedy=remedy)


def near_names(name: str, known: Mapping[str, object]) -> tuple[str, ...]:
    """At most three known names that contain the words of `name`, or else are spelt alike."""
    words = name.lower().replace("_", "-").replace(" ", "-").strip("-").split("-")
    holding = [each for each in known if all(word in each for word in words)]
    return tuple(holding[:3] or get_close_matches(name.lower(), list(known), n=3, cutoff=0.5))


def tell_chip(chip: Chip, devices: tuple[str, ...]) -> ChipAnswer:
    """A chip with the ids of the `devices` of it."""
    return ChipAnswer(
        id=chip.id,
        maker=chip.maker,
        name=chip.name,
        stack=chip.stack,
        sharing=chip.sharing,
        dies=chip.dies,
        detected_as=chip.detected_as,
        memory_gb=_fact(chip.memory_gb),
        memory_type=_fact(chip.memory_type),
        bandwidth_gbs=_fact(chip.bandwidth_gbs),
        tflops={precision.value: _fact(fact) for precision, fact in chip.tflops.items()},
        link=_fact(chip.link),
        link_gbs=_fact(chip.link_gbs),
        pcie=_fact(chip.pcie),
        tdp_w=_fact(chip.tdp_w),
        process_nm=_fact(chip.process_nm),
        year=_fact(chip.year),
        training=_fact(chip.training),
        export=chip.export,
        price_usd=_fact(chip.price_usd),
        price_usd_max=_fact(chip.price_usd_max),
        notes=chip.notes,
        devices=devices,
    )


def tell_stack(stack: Stack) -> StackAnswer:
    """A stack; the answer has the record's fields."""
    return StackAnswer.model_validate({name: getattr(stack, name) for name in StackAnswer.model_fields})


def _fact(fact: Fact[float] | Fact[str]) -> FactAnswer:
    return FactAnswer(value=fact.value, confidence=fact.confidence, source=fact.source)


def _devices(desk: Desk) -> dict[str, tuple[str, ...]]:
    """Chip id -> ids of its devices on connected nodes."""
    found: dict[str, tuple[str, ...]] = {}
    for report in desk.reports().values():
        for device in report.node.devices:
            found[device.chip] = (*found.get(device.chip, ()), device.id)
    return found


def _no_maker(maker: str, chips: list[Chip]) -> list[Chip]:
    """Raise NotFound naming the makers."""
    known = dict.fromkeys(chip.maker for chip in chips)
    raise NotFound(f"the catalogue has no chip of a maker {maker!r}", remedy=f"makers: {', '.join(known)}")
