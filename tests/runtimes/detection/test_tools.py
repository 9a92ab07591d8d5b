"""The parsers of all tools on small tables of the project's own: by header, with gaps, dies, and things not told."""

from collections.abc import Callable

import pytest

from alliage.runtimes.detection.seen import SeenDevice
from alliage.runtimes.detection.tools.alike import parse_alike
from alliage.runtimes.detection.tools.amd_smi import parse_amd_smi
from alliage.runtimes.detection.tools.efsmi import parse_efsmi
from alliage.runtimes.detection.tools.hl_smi import parse_hl_smi
from alliage.runtimes.detection.tools.hy_smi import parse_hy_smi
from alliage.runtimes.detection.tools.intel_xpu_smi import parse_intel_xpu_smi
from alliage.runtimes.detection.tools.neuron_ls import parse_neuron_ls
from alliage.runtimes.detection.tools.npu_smi import parse_npu_smi
from alliage.runtimes.detection.tools.nvidia_smi import parse_nvidia_smi
from alliage.units import GIB, MIB
from tests.runtimes.detection import tables

Parse = Callable[[str], tuple[SeenDevice, ...]]

PARSERS: list[tuple[Parse, str]] = [
    (parse_alike, tables.PPU),
    (parse_alike, tables.METAX),
    (parse_alike, tables.METAX_BOARDS),
    (parse_amd_smi, tables.AMD_APART),
    (parse_alike, tables.MTHREADS),
    (parse_alike, tables.CAMBRICON),
    (parse_alike, tables.ILUVATAR),
    (parse_alike, tables.KUNLUN),
    (parse_alike, tables.BIREN),
    (parse_npu_smi, tables.ASCEND_910C),
    (parse_efsmi, tables.ENFLAME),
    (parse_hl_smi, tables.GAUDI),
    (parse_hl_smi, tables.GAUDI_CSV),
    (parse_amd_smi, tables.AMD),
    (parse_hy_smi, tables.HYGON),
    (parse_hy_smi, tables.HYGON_JSON),
    (parse_nvidia_smi, tables.NVIDIA),
    (parse_nvidia_smi, tables.NVIDIA_CSV),
    (parse_neuron_ls, tables.NEURON),
    (parse_neuron_ls, tables.NEURON_JSON),
    (parse_intel_xpu_smi, tables.INTEL_CSV),
]


def test_ppu_with_a_gap_in_the_numbers_and_memory_errors() -> None:
    """Index 3 alone, an address with a long domain, and two ECC errors are its health."""
    assert parse_alike(tables.PPU) == (
        SeenDevice(
            name="PPU-ZW810E",
            index=3,
            pci_address="0001:0a:00.0",
            memory_total_bytes=98304 * MIB,
            memory_free_bytes=8304 * MIB,
            utilisation_percent=77,
            temperature_c=55,
            power_w=310,
            power_limit_w=400,
            health="2 uncorrectable memory errors",
            driver="9.2.3-abc",
            sdk="HGGC 14.2",
        ),
    )


def test_two_chips_of_a_910c_are_two_devices() -> None:
    """Board, die and physical number; power `-` is not told; the table of processes adds none."""
    devices = parse_npu_smi(tables.ASCEND_910C)
    assert [(each.index, each.die, each.physical_index) for each in devices] == [
        (0, 0, 0),
        (0, 1, 1),
        (4, 0, 8),
        (4, 1, 9),
    ]
    assert [each.power_w for each in devices] == [170.5, None, 171.0, None]
    assert [each.health for each in devices] == [None, "Warning", None, None]
    assert {each.memory_total_bytes for each in devices} == {64 * GIB}
    assert devices[0].memory_free_bytes == (65536 - 4000) * MIB
    assert devices[0].utilisation_percent == 12
    assert {each.driver for each in devices} == {"26.1"}


def test_a_card_without_hbm_has_its_memory_in_the_other_column() -> None:
    """As the 310P: there is no HBM column in the header then."""
    text = tables.ASCEND_910C.replace("HBM-Usage(MB)   ", "               ").replace(
        " / 0      4000 / 65536", " / 44278"
    )
    first = parse_npu_smi(text)[0]
    assert first.memory_total_bytes == 44278 * MIB


@pytest.mark.parametrize(
    ("parse", "text", "seen"),
    [
        (parse_alike, tables.METAX, ("MetaX C500", 7, "0000:0b:00.0", 65536, 64536, 13, 61, 200, "9.8.7", "MACA 9.1")),
        (
            parse_alike,
            tables.METAX_BOARDS,
            ("MetaX C500", 5, "0000:12:00.0", 65536, 64678, 4, 31, 37, "9.8.30", "MACA 9.7.1.5"),
        ),
        (
            parse_amd_smi,
            tables.AMD_APART,
            ("AMD Instinct MI325X", 1, "0001:01:00.0", 262128, 262103, 2, 29, 42, "9.19.4", "ROCm 9.14.0"),
        ),
        (parse_alike, tables.MTHREADS, ("MTT S4000", 2, "0000:1b:00.0", 49152, 49052, 5, 50, None, "9.1.2", None)),
        (parse_alike, tables.KUNLUN, ("P800 OAM", 5, "0000:03:00.0", 98304, 97280, 9, 37, 88, "9.0.1", "XPU-RT 9.0")),
        (parse_alike, tables.BIREN, ("Biren106M", 0, None, 32512, 32000, None, 45, 250, None, None)),
        (parse_hl_smi, tables.GAUDI, ("HL-325", 6, "0000:21:00.0", 131072, 130400, 4, 43, 264, "9.18.0", None)),
        (parse_hl_smi, tables.GAUDI_CSV, ("HL-325", 6, "0000:21:00.0", 131072, 130400, 4, 43, None, "9.18.0", None)),
        (
            parse_amd_smi,
            tables.AMD,
            ("Instinct MI300X OAM", 2, "0000:83:00.0", 196288, 196003, 8, 37, 160, "9.16.13", "ROCm 9.2.4"),
        ),
        (
            parse_nvidia_smi,
            tables.NVIDIA,
            ("NVIDIA H100 80GB HBM3", 1, "0000:1b:00.0", 81559, 81555, 0, 30, 70, "999.1", "CUDA 99.4"),
        ),
        (parse_efsmi, tables.ENFLAME, ("S60", 1, "0000:09:00.0", 42976, None, None, 46, 128, "9.2.1", None)),
        (parse_hy_smi, tables.HYGON_JSON, ("K100_AI", 1, "0000:43:00.0", 65520, 65518, 3, 41, 99, "9.3.2", None)),
    ],
)
def test_one_device_of_each_tool(parse: Parse, text: str, seen: tuple[object, ...]) -> None:
    """Name, number, address, memory, use, heat, power and versions where each tool's header says that they are."""
    (device,) = parse(text)
    total, free = device.memory_total_bytes, device.memory_free_bytes
    assert (
        device.name,
        device.index,
        device.pci_address,
        total // MIB if total is not None else None,
        free // MIB if free is not None else None,
        device.utilisation_percent,
        device.temperature_c,
        device.power_w,
        device.driver,
        device.sdk,
    ) == seen


def test_a_metax_card_that_is_not_available_says_so() -> None:
    """Its state is its health, `Available` is well."""
    (well,) = parse_alike(tables.METAX)
    (ill,) = parse_alike(tables.METAX.replace("Available      ", "Not Available  "))
    assert (well.health, ill.health) == (None, "Not Available")


def test_two_dies_of_a_board_and_what_one_of_them_does_not_tell() -> None:
    """MLU370-X8: two rows with an address each; `[N/A]` memory and `N/A` power stay untold."""
    first, second = parse_alike(tables.CAMBRICON)
    assert (first.index, first.pci_address, first.memory_total_bytes) == (0, "0000:39:00.0", 23374 * MIB)
    assert (first.power_w, first.power_limit_w, first.driver) == (106, 250, "9.1.3")
    assert (second.index, second.pci_address) == (1, "0000:3d:00.0")
    assert (second.memory_total_bytes, second.memory_free_bytes, second.power_w) == (None, None, None)


def test_bi_v150_is_two_devices() -> None:
    """Each die has its address and its own power, where it tells it."""
    devices = parse_alike(tables.ILUVATAR)
    assert [(each.name, each.pci_address, each.power_w) for each in devices] == [
        ("Iluvatar BI-V150", "0000:35:00.0", None),
        ("Iluvatar BI-V150", "0000:38:00.0", 40),
    ]


def test_nvidia_answers_a_query_by_column_names() -> None:
    """A gap in the numbers, a modified card with more memory than its data sheet, and fields that are not supported."""
    first, second = parse_nvidia_smi(tables.NVIDIA_CSV)
    assert (first.uuid, first.memory_free_bytes, first.power_w, first.health) == ("GPU-1", 97000 * MIB, 111.5, None)
    assert (second.index, second.name, second.memory_total_bytes) == (2, "NVIDIA GeForce RTX 4090", 49140 * MIB)
    assert (second.memory_free_bytes, second.utilisation_percent, second.power_w) == (None, None, None)
    assert second.power_limit_w is None


def test_columns_may_change_places() -> None:
    """The same query with its columns the other way round gives the same devices."""
    lines = [", ".join(reversed(line.split(", "))) for line in tables.NVIDIA_CSV.splitlines()]
    assert parse_nvidia_smi("\n".join(lines)) == parse_nvidia_smi(tables.NVIDIA_CSV)


def test_hygons_table_has_no_names_and_no_sizes() -> None:
    """What it tells is told, with a gap in the numbers."""
    first, second = parse_hy_smi(tables.HYGON)
    assert (first.index, first.temperature_c, first.power_w, first.power_limit_w) == (0, 59, 114, 400)
    assert (second.index, second.temperature_c, second.power_w) == (4, None, None)
    assert first.name is None
    assert first.memory_total_bytes is None


def test_neuron_names_the_instance_and_the_links() -> None:
    """From the table with labels over two lines, and from JSON (which has no instance type)."""
    first, second = parse_neuron_ls(tables.NEURON)
    assert (first.name, first.index, first.memory_total_bytes, first.links) == ("trn2", 0, 96 * GIB, "12, 3")
    assert (second.index, second.pci_address, second.links) == (7, "0000:b5:00.0", None)
    (plain,) = parse_neuron_ls(tables.NEURON_JSON)
    assert (plain.name, plain.index, plain.pci_address, plain.memory_total_bytes) == (None, 1, "0000:00:1e.0", 32 * GIB)


def test_intels_xpu_smi_answers_as_csv() -> None:
    """Quoted names and sizes with units."""
    (device,) = parse_intel_xpu_smi(tables.INTEL_CSV)
    assert device.name == "Intel(R) Arc(TM) Pro B60 Graphics"
    assert (device.memory_total_bytes, device.memory_free_bytes) == (24480 * MIB, 24000 * MIB)


@pytest.mark.parametrize(("parse", "text"), PARSERS)
def test_a_text_that_is_cut_off_anywhere_gives_no_more_than_the_whole(parse: Parse, text: str) -> None:
    """Never an error, and never a device that the whole text does not have."""
    known = {(each.index, each.die) for each in parse(text)}
    for end in range(0, len(text), 7):
        assert {(each.index, each.die) for each in parse(text[:end])} <= known


@pytest.mark.parametrize(("parse", "text"), PARSERS)
def test_nothing_and_nonsense_are_no_devices(parse: Parse, text: str) -> None:
    """Empty, only rules, an error message, another program's help, bytes of a picture."""
    for other in (
        "",
        "\n\n",
        "+---+\n|===|\n",
        "init hgml error\n",
        "usage: smi [-h]\n",
        "\x89PNG\r\n\x1a\n\x00|\x00|",
        "{",
        "[{",
    ):
        assert parse(other) == ()
