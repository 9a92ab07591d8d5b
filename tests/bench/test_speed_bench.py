"""The speed benchmark: how rows are read, what is scored, what the fit finds, and what is printed."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from alliage.catalog.loader import load_catalog
from alliage.errors import BadInput
from alliage.speed.efficiency import committed, efficiency, parse_coefficients
from bench.speed.__main__ import main
from bench.speed.cases import Case, Protocol, Skip
from bench.speed.fit import render, to_coefficients
from bench.speed.fitting import fit
from bench.speed.protocols import decode_tps
from bench.speed.reading import pasted, read_cases, to_case
from bench.speed.rows import Row, read_rows
from bench.speed.scoring import Scored, anchored, by_committed, deal, errors_of
from tests.data import data_folder

CATALOG = load_catalog()
HEADER = (
    "chip,n_chips,model,params_b,precision,engine,input_len,output_len,concurrency,prefill_tps,decode_tps,ttft_ms,"
    "tpot_ms,source,confidence,active_b,note"
)
LINES = (
    "H100-SXM5,1,Qwen3-14B,,BF16,vLLM,217,202,1000,,3000,,,gpustack lab,community,,",
    "H100-SXM5,1,Qwen3-14B,,FP8,vLLM,1000,200,4,,300,,,gpustack lab,community,,",
    "NOBODYS-CHIP,1,Qwen3-14B,,BF16,vLLM,217,202,1000,,3000,,,gpustack lab,community,,",
    "H100-SXM5,1,Nobodys-Model,,BF16,vLLM,217,202,1000,,3000,,,gpustack lab,community,,",
    "H100-SXM5,1,Qwen3-14B,,BF16,vLLM,217,202,1000,,,,,gpustack lab,community,,no rate",
)


def a_row(
    *,
    chip: str = "H100-SXM5",
    n_chips: float | None = 1,
    model: str = "Qwen3-14B",
    precision: str = "BF16",
    engine: str = "vLLM",
    source: str = "gpustack lab",
    note: str = "",
    concurrency: float | None = 1000,
    decode_tps: float | None = 3000.0,
    ttft_ms: float | None = None,
    tpot_ms: float | None = None,
    line: int = 1,
) -> Row:
    """A burst of 1000 short prompts on one H100."""
    return Row(
        line=line,
        chip=chip,
        n_chips=n_chips,
        model=model,
        precision=precision,
        engine=engine,
        input_tokens=217,
        output_tokens=202,
        concurrency=concurrency,
        decode_tps=decode_tps,
        ttft_ms=ttft_ms,
        tpot_ms=tpot_ms,
        source=source,
        confidence="community",
        note=note,
    )


def a_case(row: Row) -> Case:
    """The row's case, which must be one."""
    case = to_case(row, CATALOG, None)
    assert isinstance(case, Case), case
    return case


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A small file of measured speeds."""
    path = tmp_path / "rows.csv"
    path.write_text("\n".join([HEADER, *LINES]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("row", "protocol"),
    [
        (a_row(), Protocol.BURST),
        (a_row(concurrency=None), Protocol.BURST),
        (a_row(concurrency=4), Protocol.CLOSED),
        (a_row(concurrency=31), Protocol.ARRIVALS),
        (a_row(engine="llama.cpp", precision="Q4_0", source="a pull request"), Protocol.DECODE),
        (a_row(source="mlcommons", note="MLPerf closed Offline"), Protocol.OFFLINE),
        (a_row(source="mlcommons", note="MLPerf closed Server; latency-bound"), Protocol.BOUND),
    ],
)
def test_a_source_says_how_it_measured(row: Row, protocol: Protocol) -> None:
    """The same columns mean other things in other sources."""
    assert a_case(row).protocol is protocol


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (a_row(decode_tps=None), Skip.NO_SPEED),
        (a_row(chip="NOBODYS-CHIP"), Skip.NO_CHIP),
        (a_row(model="Nobodys-Model"), Skip.NO_MODEL),
        (a_row(precision="INT3-secret"), Skip.NO_PRECISION),
        (a_row(engine="KTransformers"), Skip.OFFLOAD),
        (a_row(engine="vLLM-Ascend PD 2P1D"), Skip.SPLIT),
        (a_row(note="500 prompts, model not named: do not fit"), Skip.NOT_TO_FIT),
        (a_row(model="Llama-3.1-405B"), Skip.TOO_LARGE),
    ],
)
def test_what_is_not_scored_has_its_reason(row: Row, reason: Skip) -> None:
    """By inputs alone, never by how far off a prediction is."""
    assert to_case(row, CATALOG, None) is reason


def test_a_peak_of_arrivals_is_more_than_their_mean() -> None:
    """Poisson: m + 3 sqrt(m) = 28 has m = 16."""
    assert a_case(a_row(concurrency=28)).concurrency == pytest.approx(16.0)


def test_a_pasted_page_is_dropped_on_both_sides() -> None:
    """The same speed and latency under two chips cannot both be measured."""
    same = [a_row(line=1, ttft_ms=5.0), a_row(line=2, ttft_ms=5.0, chip="H20"), a_row(line=3, ttft_ms=6.0)]
    assert pasted(same) == {1, 2}


def test_tpot_is_believed_where_littles_law_agrees() -> None:
    """3000 / 202 requests a second x (5 s + 202 x 0.25 s) = 824 of 1000 in flight; a tenth of that TPOT is not sound."""
    assert a_case(a_row(ttft_ms=5000.0, tpot_ms=250.0)).tpot_is_sound
    assert not a_case(a_row(ttft_ms=50.0, tpot_ms=2.5)).tpot_is_sound


def test_a_bandwidth_nobody_states_is_skipped_unless_fitted() -> None:
    """With no fitted bandwidth given, a chip without one is no case; with one, it is, and says so."""
    row = a_row(chip="PPU-810E", model="Qwen3-8B", source="a report", concurrency=1)
    assert to_case(row, CATALOG, {}) is Skip.NO_BANDWIDTH
    case = to_case(row, CATALOG, {"thead-ppu-810e": 1e12})
    assert isinstance(case, Case)
    assert case.bandwidth_is_fitted


def test_the_fit_finds_a_stack_that_is_half_as_fast() -> None:
    """Rows made by the model itself, those of one engine halved: the fit gives them back, and survives its own TOML."""
    rows = [
        a_row(engine=engine, precision=precision, concurrency=size, line=line)
        for line, (engine, precision, size) in enumerate(
            (engine, precision, size)
            for engine in ("vLLM", "SGLang")
            for precision in ("BF16", "FP8")
            for size in (1.0, 8.0, 64.0, 1000.0)
        )
    ]
    truth = []
    for row in rows:
        case = a_case(row)
        speed = decode_tps(case, efficiency(committed(), {}))
        truth.append(replace(case, row=replace(row, decode_tps=speed / (2 if row.engine == "SGLang" else 1))))
    found = fit(truth)
    coefficients = to_coefficients(found, truth, source="a test", sha256="0" * 64, fitted_on="2026-01-01")
    again = parse_coefficients(render(coefficients))
    assert errors_of(one.log_error for one in by_committed(truth, again)).median_ape < 12
    assert all(
        one.predicted_tps == pytest.approx(decode_tps(one.case, found.efficiency(one.case)), rel=0.02)
        for one in by_committed(truth, again)
    )


def test_an_anchor_corrects_the_others_and_is_not_scored() -> None:
    """Two rows of a recipe that is twice as fast as predicted: the first corrects the second, and only that is counted."""
    case = a_case(a_row())
    speed = replace(by_committed([case], committed())[0], was_fitted=False)
    rows = [replace(case.row, line=line, decode_tps=2 * speed.predicted_tps) for line in (1, 2)]
    scored = [replace(speed, case=replace(case, row=row)) for row in rows]
    (corrected,) = anchored(scored)
    assert corrected.case.row.line == 2
    assert abs(corrected.log_error) < 0.1 < abs(scored[1].log_error)
    assert isinstance(corrected, Scored)


def test_groups_are_dealt_whole_and_alike_each_time() -> None:
    """No (chip, model) group is in two folds."""
    groups = [("a", str(index)) for index in range(30)]
    assert deal(groups) == deal(reversed(groups * 2))


def test_errors_are_percent() -> None:
    """Off by 0, 50 and 300 %: the median is 50, two of three are within a factor of 2."""
    errors = errors_of([0.0, math.log(1.5), math.log(4)])
    assert errors.median_ape == pytest.approx(50)
    assert errors.within_2x == pytest.approx(200 / 3)
    assert math.isnan(errors_of([]).median_ape)


def test_json_is_one_line_that_counts_every_row(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another file than the fitted one is judged by the committed coefficients; rows + skipped are all of its rows."""
    assert main(["--data", str(table), "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    assert list(found) == ["rows", "skipped", "median_ape", "within_2x"]
    assert (found["rows"], found["skipped"]) == (2, 3)
    assert 0 <= found["median_ape"] < 100


def test_the_tables_name_what_was_skipped(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Never silently."""
    assert main(["--data", str(table)]) == 0
    printed = capsys.readouterr().out
    for word in ("uncalibrated roofline", "one factor a chip", "source: gpustack", "TTFT", Skip.NO_CHIP, Skip.NO_MODEL):
        assert word in printed


def test_a_file_that_is_no_table_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The missing columns, the wrong field with its row, and a file that is not there are named."""
    bad = tmp_path / "bad.csv"
    bad.write_text("chip,model\na,b\n", encoding="utf-8")
    with pytest.raises(BadInput, match="lacks the columns concurrency"):
        read_rows(bad)
    bad.write_text(f"{HEADER}\n{LINES[0].replace('3000', 'fast')}\n", encoding="utf-8")
    with pytest.raises(BadInput, match="row 1: `decode_tps` is 'fast'"):
        read_rows(bad)
    assert main(["--data", str(tmp_path / "none.csv")]) == 2
    assert "--data FILE" in capsys.readouterr().err


def test_committed_coefficients_cover_the_measured_speeds() -> None:
    """On the file they were fitted on: within a factor of 2 in 9 of 10 rows, and the interval holds 4 of 5."""
    folder = data_folder()
    path = folder / "speed" / "measured.csv" if folder else None
    if path is None or not path.is_file():
        pytest.skip("the measured speeds are not here: name their folder in ALLIAGE_TEST_DATA")
    rows = read_rows(path)
    cases, skipped = read_cases(rows, CATALOG, committed().bandwidths)
    assert len(cases) + len(skipped) == len(rows)
    logs = [one.log_error for one in by_committed(cases, committed())]
    assert errors_of(logs).median_ape < 25
    assert errors_of(logs).within_2x > 90
    assert sum(abs(log) <= math.log(1.6) for log in logs) / len(logs) >= 0.8
