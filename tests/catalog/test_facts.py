"""Facts in chip and stack files: what is read, and that a wrong one is refused by file, field and value."""

from pathlib import Path

import pytest

from alliage.catalog.loader import load_catalog
from alliage.catalog.records import Confidence, ContainerPolicy, Fact, Precision
from alliage.errors import BadInput
from tests.catalog.files import put

CHIP = """
id = "example-one"
maker = "Example"
name = "One"
stack = "nvidia"
sharing = "whole"
"""
SAYS = 'confidence = "press", source = "Example Times"'
STACK = """
id = "example"
maker = "Example"
name = "Example SDK"
"""


def refused(folder: Path, text: str, kind: str = "chips") -> str:
    """What a user is told of a file that is wrong; the file itself is named in it."""
    file = put(folder, kind, text)
    with pytest.raises(BadInput) as caught:
        load_catalog(folder)
    assert str(file) in str(caught.value)
    return str(caught.value)


def test_facts_are_read_with_who_says_so(tmp_path: Path) -> None:
    """A value, its confidence and its source; an unknown one may say why; what is left out is unknown."""
    lines = f"""memory_gb = {{ value = 48, {SAYS} }}
bandwidth_gbs = {{ confidence = "unknown", source = "not published" }}
year = {{ value = 2027, {SAYS} }}
dies = 2
detected_as = ['One( Pro)?']
[tflops]
bf16 = {{ value = 98.5, {SAYS} }}
fp8 = {{ value = 0, {SAYS} }}
"""
    put(tmp_path, "chips", CHIP + lines)
    chip = load_catalog(tmp_path).chips["example-one"]
    assert chip.memory_gb == Fact(value=48, confidence=Confidence.PRESS, source="Example Times")
    assert chip.bandwidth_gbs == Fact(value=None, confidence=Confidence.UNKNOWN, source="not published")
    assert chip.tdp_w == Fact(value=None, confidence=Confidence.UNKNOWN, source="")
    assert (chip.dies, chip.detected_as, chip.year.value) == (2, ("One( Pro)?",), 2027)
    assert [chip.tflops[each].value for each in (Precision.BF16, Precision.FP8, Precision.INT8)] == [98.5, 0, None]


@pytest.mark.parametrize(
    ("line", "field", "told"),
    [
        (f"memory_gb = {{ value = -1, {SAYS} }}", "memory_gb.value", "-1"),
        (f"memory_gb = {{ value = 0, {SAYS} }}", "memory_gb.value", "greater than 0"),
        (f"memory_gb = {{ value = 96000, {SAYS} }}", "memory_gb.value", "96000"),
        (f"memory_gb = {{ value = nan, {SAYS} }}", "memory_gb.value", "nan"),
        (f"bandwidth_gbs = {{ value = inf, {SAYS} }}", "bandwidth_gbs.value", "inf"),
        (f'bandwidth_gbs = {{ value = "4 TB/s", {SAYS} }}', "bandwidth_gbs.value", "'4 TB/s'"),
        (f"bandwidth_gbs = {{ value = true, {SAYS} }}", "bandwidth_gbs.value", "True"),
        ('tdp_w = { value = 400, confidence = "vendor" }', "tdp_w", "without a source"),
        ('tdp_w = { value = 400, confidence = "vendor", source = "  " }', "tdp_w", "without a source"),
        ('tdp_w = { value = 400, confidence = "unknown", source = "x" }', "tdp_w", "unknown confidence"),
        ('tdp_w = { confidence = "vendor", source = "x" }', "tdp_w", "there is no value"),
        ('tdp_w = { value = 400, confidence = "guess", source = "x" }', "tdp_w.confidence", "'guess'"),
        ("tdp_w = 400", "tdp_w", "400"),
        (f"tdp_w = {{ amount = 400, {SAYS} }}", "tdp_w.amount", "400"),
        (f"year = {{ value = 1024, {SAYS} }}", "year.value", "1024"),
        (f"process_nm = {{ value = 0.1, {SAYS} }}", "process_nm.value", "0.1"),
        (f"price_usd = {{ value = 0, {SAYS} }}", "price_usd.value", "greater than 0"),
        (f"[tflops]\nint8 = {{ value = -5, {SAYS} }}", "tflops.int8.value", "-5"),
        (f"[tflops]\nint9 = {{ value = 5, {SAYS} }}", "tflops.int9", "not permitted"),
        ('[tflops]\nbf16 = { value = 0, confidence = "press" }', "tflops.bf16", "without a source"),
        ("dies = 0", "dies", "0"),
        ('detected_as = ["PPU-(ZW"]', "detected_as.0", "not a regular expression"),
        ("bandwith_gbs = 4000", "bandwith_gbs", "4000"),
    ],
)
def test_a_wrong_fact_is_refused(tmp_path: Path, line: str, field: str, told: str) -> None:
    """The message names the file, the field and the value: a typing mistake never becomes a decision."""
    message = refused(tmp_path, CHIP + line + "\n")
    assert f"`{field}`" in message
    assert told in message


def test_a_stack_is_read(tmp_path: Path) -> None:
    """Its fields, and defaults that say nothing."""
    lines = """pci_vendors = ["abcd", "abce"]
device_files = ["/dev/example{N}"]
smi = ["example-smi"]
visible_devices = "EXAMPLE_VISIBLE_DEVICES"
container = "mounted"
imitates = ["nvidia"]
"""
    put(tmp_path, "stacks", STACK + lines)
    stack = load_catalog(tmp_path).stacks["example"]
    assert (stack.pci_vendors, stack.smi, stack.container) == (
        ("abcd", "abce"),
        ("example-smi",),
        ContainerPolicy.MOUNTED,
    )
    assert (stack.imitates, stack.library, stack.lacks, stack.pci_classes) == (("nvidia",), "", (), ("03", "12"))
    assert load_catalog(tmp_path).stacks["biren"].container is ContainerPolicy.UNKNOWN


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ('pci_vendors = ["0x10de"]', "pci_vendors.0"),
        ('pci_vendors = ["10DE"]', "pci_vendors.0"),
        ('device_files = ["/etc/passwd"]', "device_files.0"),
        ('smi = ["sh -c true"]', "smi.0"),
        ('smi = ["../tool"]', "smi.0"),
        ('visible_devices = "A=1"', "visible_devices"),
        ('container = "copied"', "container"),
    ],
)
def test_a_wrong_stack_is_refused(tmp_path: Path, line: str, field: str) -> None:
    """Ids are hex digits, programs are bare names, device files lie in /dev, variables are names."""
    assert f"`{field}`" in refused(tmp_path, f"{STACK}{line}\n", "stacks")


def test_a_stack_imitates_one_that_is_there(tmp_path: Path) -> None:
    """A name of no stack is told with those there are."""
    put(tmp_path, "stacks", STACK + 'imitates = ["cuda"]\n')
    with pytest.raises(BadInput, match=r"entry.toml is wrong: `imitates` names the stack 'cuda'"):
        load_catalog(tmp_path)
