"""Traces of requests: what is read, and that bad rows are refused with file, line and value."""

from pathlib import Path

import pytest

from alliage.errors import BadInput
from alliage.replay.requests.reading import read_azure, read_mooncake
from alliage.replay.requests.trace import cut, speed_up
from tests.data import data_folder
from tests.replay.requests.builders import SAMPLES, a_trace

AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n"


def test_azure_rows_count_from_the_first(tmp_path: Path) -> None:
    """Seven digits of a second are kept; other columns and their order do not matter."""
    path = tmp_path / "conv.csv"
    path.write_text(
        "GeneratedTokens,TIMESTAMP,ContextTokens,more\n"
        "4,2030-01-01 23:59:59.0000001,7,x\n5,2030-01-02 00:00:01.5000002,8,y\n6,2030-01-02 00:00:02,9,\n"
    )
    trace = read_azure(path)
    assert [(each.prompt_tokens, each.output_tokens) for each in trace.requests] == [(7, 4), (8, 5), (9, 6)]
    assert [each.at_s for each in trace.requests] == pytest.approx([0.0, 2.5000001, 2.9999999], abs=1e-12)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("", "has no requests"),
        ("2030-01-01 00:00:00,1,2\nyesterday,1,2\n", "line 3: TIMESTAMP 'yesterday'"),
        ("2030-01-01 00:00:00.12345678901,1,2\n", "line 2: TIMESTAMP"),
        ("2030-01-01 00:00:00,-1,2\n", "line 2: ContextTokens '-1'"),
        ("2030-01-01 00:00:00,1,0\n", "line 2: GeneratedTokens 0"),
        ("2030-01-01 00:00:00,1\n", "line 2: GeneratedTokens ''"),
        ("2030-01-01 00:00:01,1,2\n2030-01-01 00:00:00,1,2\n", "line 3: it is earlier"),
    ],
)
def test_a_bad_azure_row_is_named(tmp_path: Path, rows: str, told: str) -> None:
    """File, line and value."""
    path = tmp_path / "bad.csv"
    path.write_text(AZURE + rows)
    with pytest.raises(BadInput, match=r"bad\.csv") as error:
        read_azure(path)
    assert told in str(error.value)


def test_a_column_or_a_file_that_is_missing(tmp_path: Path) -> None:
    """Is said by name."""
    path = tmp_path / "bad.csv"
    path.write_text("TIMESTAMP,ContextTokens\n")
    with pytest.raises(BadInput, match="line 1: no column GeneratedTokens"):
        read_azure(path)
    with pytest.raises(BadInput, match=r"none\.jsonl cannot be read"):
        read_mooncake(tmp_path / "none.jsonl")


def test_mooncake_rows_have_blocks(tmp_path: Path) -> None:
    """Milliseconds become seconds from the first request on; blocks are of 512 tokens."""
    path = tmp_path / "m.jsonl"
    path.write_text(
        '{"timestamp": 1500, "input_length": 600, "output_length": 2, "hash_ids": [0, 9]}\n\n'
        '{"timestamp": 3000, "input_length": 3, "output_length": 1, "hash_ids": []}\n'
    )
    trace = read_mooncake(path)
    assert trace.block_tokens == 512
    assert [(each.at_s, each.blocks) for each in trace.requests] == [(0.0, (0, 9)), (1.5, ())]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "line 2: '{' is no JSON"),
        ("[1]", "line 2: no object"),
        ('{"timestamp": 1, "input_length": 1, "output_length": 1}', "line 2: no hash_ids"),
        ('{"timestamp": -1, "input_length": 1, "output_length": 1, "hash_ids": []}', "line 2: timestamp -1"),
        ('{"timestamp": 1, "input_length": true, "output_length": 1, "hash_ids": []}', "line 2: input_length True"),
        ('{"timestamp": 1, "input_length": 1, "output_length": 1.5, "hash_ids": []}', "line 2: output_length 1.5"),
        ('{"timestamp": 1, "input_length": 1, "output_length": 1, "hash_ids": [1, 2]}', "line 2: hash_ids are 2 for 1"),
        ('{"timestamp": 1, "input_length": 1, "output_length": 1, "hash_ids": ["a"]}', "line 2: hash_ids are no whole"),
    ],
)
def test_a_bad_mooncake_line_is_named(tmp_path: Path, line: str, told: str) -> None:
    """File, line and value."""
    path = tmp_path / "bad.jsonl"
    good = '{"timestamp": 0, "input_length": 1, "output_length": 1, "hash_ids": []}'
    path.write_text(f"{good}\n{line}\n")
    with pytest.raises(BadInput, match=r"bad\.jsonl") as error:
        read_mooncake(path)
    assert told in str(error.value)


def test_slices_and_speed() -> None:
    """The first of them by count, by seconds, by both; half the time at twice the speed; nothing left is refused."""
    trace = a_trace((0.0, 1, 1), (1.0, 2, 1), (4.0, 3, 1))
    assert [each.prompt_tokens for each in cut(trace, count=2).requests] == [1, 2]
    assert [each.prompt_tokens for each in cut(trace, seconds=1.5).requests] == [1, 2]
    assert [each.prompt_tokens for each in cut(trace, count=1, seconds=9).requests] == [1]
    assert [each.at_s for each in speed_up(trace, 2.0).requests] == [0.0, 0.5, 2.0]
    for factor in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(BadInput, match="speed-up"):
            speed_up(trace, factor)
    with pytest.raises(BadInput, match="no request"):
        cut(trace, seconds=-1.0)


def test_the_samples_are_read() -> None:
    """Both made-up traces of the examples."""
    assert len(read_azure(SAMPLES / "azure.csv").requests) == 60
    assert any(each.blocks for each in read_mooncake(SAMPLES / "mooncake.jsonl").requests)


def test_the_published_traces_are_read() -> None:
    """As many requests as they are known to have. Skipped where they are not there."""
    folder = data_folder()
    if folder is None or not (folder / "traces" / "mooncake").is_dir():
        pytest.skip("no published traces (ALLIAGE_TEST_DATA)")
    azure = read_azure(folder / "traces" / "azure-llm-2023" / "AzureLLMInferenceTrace_conv.csv")
    assert (len(azure.requests), round(azure.length_s)) == (19366, 3502)
    assert len(read_mooncake(folder / "traces" / "mooncake" / "conversation_trace.jsonl").requests) == 12031
