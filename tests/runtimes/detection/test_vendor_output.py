"""The parsers on what the vendors' tools really printed, as documents show it. Needs the shared data; else skipped."""

from collections.abc import Callable

import pytest

from alliage.runtimes.detection.seen import SeenDevice
from alliage.runtimes.detection.tools.alike import parse_alike
from alliage.runtimes.detection.tools.amd_smi import parse_amd_smi
from alliage.runtimes.detection.tools.efsmi import parse_efsmi
from alliage.runtimes.detection.tools.hl_smi import parse_hl_smi
from alliage.runtimes.detection.tools.hy_smi import parse_hy_smi
from alliage.runtimes.detection.tools.neuron_ls import parse_neuron_ls
from alliage.runtimes.detection.tools.npu_smi import parse_npu_smi
from alliage.runtimes.detection.tools.nvidia_smi import parse_nvidia_smi
from tests.data import data_folder

Row = tuple[int | None, str | None, str | None, int | None]

CASES: list[tuple[str, Callable[[str], tuple[SeenDevice, ...]], list[Row]]] = [
    ("amd_amd-smi.txt", parse_amd_smi, []),  # two lines of a table without its header
    (
        "ascend_npu-smi.txt",
        parse_npu_smi,
        [
            (5, "910B4", "0000:41:00.0", 32768),
            (0, "910B2C", "0000:66:00.0", 65536),
            (1, "310P3", "0000:01:00.0", 44278),
        ],
    ),
    ("biren_brsmi.txt", parse_alike, []),  # facts only, no table was found
    (
        "cambricon_cnmon.txt",
        parse_alike,
        [(0, "MLU370-X8", "0000:39:00.0", 23374), (1, "MLU370-X8", "0000:3d:00.0", 23374)],
    ),
    ("enflame_efsmi.txt", parse_efsmi, [(0, "S60", "0000:01:00.0", 49120), (1, "S60", "0000:09:00.0", 42976)]),
    ("gaudi_hl-smi.txt", parse_hl_smi, []),  # rows without a header
    (
        "hygon_hy-smi.txt",
        parse_hy_smi,
        [(0, None, None, None), (1, None, None, None), (0, None, None, None), (0, None, None, None)],
    ),
    (
        "iluvatar_ixsmi.txt",
        parse_alike,
        [(0, "Iluvatar MR-V100 DUO", "0000:35:00.0", 32768), (1, "Iluvatar MR-V100 DUO", "0000:38:00.0", 32768)],
    ),
    (
        "kunlun_xpu_smi.txt",
        parse_alike,
        [(0, "P800 OAM", "0000:03:00.0", 98304), (1, "P800 OAM", "0000:05:00.0", 98304)],
    ),
    ("metax-clone_ht-smi.txt", parse_alike, []),  # facts only
    (
        "metax_mx-smi.txt",
        parse_alike,
        [(0, "MetaX C550", "0000:0f:00.0", 65536), (0, "MetaX C500", "0000:01:00.0", 65536)],
    ),
    (
        "mthreads_mthreads-gmi.txt",
        parse_alike,
        [(0, "MTT S5000", "0000:18:00.0", 81920), (1, "MTT S5000", "0000:3a:00.0", 81920)],
    ),
    ("nvidia_nvidia-smi.txt", parse_nvidia_smi, []),  # the command only
    (
        "thead_ppu-smi.txt",
        parse_alike,
        [(0, "PPU-ZW810E", "0000:08:00.0", 98304), (1, "PPU-ZW810E", "0000:7e:00.0", 98304)],
    ),
]


def _text(name: str) -> str:
    folder = data_folder()
    if folder is None:
        pytest.skip("the shared data is not here (ALLIAGE_TEST_DATA names its folder)")
    return (folder / "chips" / "smi" / name).read_text()


@pytest.mark.parametrize(("name", "parse", "expected"), CASES, ids=[case[0] for case in CASES])
def test_what_tools_really_printed(
    name: str, parse: Callable[[str], tuple[SeenDevice, ...]], expected: list[Row]
) -> None:
    """Number, name, address and memory of every device in the text, with its comments and other layouts around it."""
    seen = [
        (each.index, each.name, each.pci_address, total >> 20 if (total := each.memory_total_bytes) else None)
        for each in parse(_text(name))
    ]
    assert seen == expected


def test_every_text_there_is_has_a_case() -> None:
    """A new file in the folder is not passed over."""
    folder = data_folder()
    if folder is None:
        pytest.skip("the shared data is not here (ALLIAGE_TEST_DATA names its folder)")
    there = {path.name for path in (folder / "chips" / "smi").glob("*.txt")}
    assert there == {case[0] for case in CASES} | {"neuron_neuron-ls.txt"}


def test_neurons_table_of_sixteen() -> None:
    """Fourteen rows of the sixteen are in the text; each has its memory and its neighbours."""
    devices = parse_neuron_ls(_text("neuron_neuron-ls.txt"))
    assert len(devices) >= 14
    assert {each.name for each in devices} == {"trn2n"}
    assert {each.memory_total_bytes for each in devices} == {96 << 30}
    assert devices[0].links == "12, 3, 4, 1"


def test_versions_and_live_figures() -> None:
    """Drivers, SDKs, heat and power of those that print them."""
    ppu = parse_alike(_text("thead_ppu-smi.txt"))[0]
    assert (ppu.driver, ppu.sdk, ppu.temperature_c, ppu.power_w) == ("2.1.0-dbda51", "HGGC 13.0", 24, 74)
    kunlun = parse_alike(_text("kunlun_xpu_smi.txt"))[1]
    assert (kunlun.driver, kunlun.sdk, kunlun.power_limit_w) == ("5.0.21.21", "XPU-RT 5.0.21", 400)
    musa = parse_alike(_text("mthreads_mthreads-gmi.txt"))[0]
    assert (musa.driver, musa.temperature_c, musa.power_w) == ("5.1.0-server", 48, None)
