"""Tokens by every API that engines answer in, whole and streamed."""

import pytest

from alliage.gateway.body import read_usage
from alliage.gateway.sse import HELD_BYTES_MAX, UsageTap

_MESSAGE = (
    b'event: message_start\ndata: {"type":"message_start","message":{"usage":{%b,"output_tokens":0}}}\n\n'
    % b'"cache_read_input_tokens":20,"input_tokens":1',
    b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"text":"a \\"usage\\""}}\n\n',
    b'event: message_delta\ndata: {"type":"message_delta","delta":{},"usage":{"output_tokens":3}}\n\n',
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
)
_RESPONSE = (
    b'event: response.created\ndata: {"type":"response.created","response":{"usage":null}}\n\n',
    b'event: response.completed\ndata: {"type":"x","response":{"output":[{"text":"%b"}],"usage":%b},"timings":{}}\n\n',
)
_TOLD = b'{"input_tokens":21,"output_tokens":2,"input_tokens_details":{"cached_tokens":20}}'


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        (b'"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":8}', (9, 4, 8)),
        (b'"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":null', (9, 4, 0)),
        (b'"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":"x"}', (9, 0, 0)),
        (b'"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":99}', (9, 0, 9)),
        (b'"input_tokens":21,"output_tokens":4,"input_tokens_details":{"cached_tokens":20}', (21, 4, 20)),
        (b'"input_tokens":1,"output_tokens":5,"cache_read_input_tokens":20', (21, 5, 20)),
        (b'"input_tokens":1,"cache_read_input_tokens":null,"cache_creation_input_tokens":3', (4, 0, 0)),
        (b'"total_tokens":3', (0, 0, 0)),
        (b'"prompt_tokens":18446744073709551615,"completion_tokens":4', (0, 4, 0)),
        (b'"prompt_tokens":9,"completion_tokens":4294967296', (9, 0, 0)),
        (b'"input_tokens":4294967296,"output_tokens":%b' % (b"9" * 5000), (0, 0, 0)),
    ],
)
def test_a_whole_answer_is_counted(usage: bytes, counts: tuple[int, int, int]) -> None:
    """The prompt is all of it, with what the engine had already; that part is told too, and is never more."""
    assert read_usage(b'{"usage":{%b}}' % usage) == counts


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_streams_of_messages_are_counted_and_pass(step: int) -> None:
    """The prompt from the first event, the answer from a later one; not a byte is changed."""
    stream, tap = b"".join(_MESSAGE), UsageTap(remove=False)
    passed = b"".join(tap.feed(stream[at : at + step]) for at in range(0, len(stream), step)) + tap.finish()
    assert passed == stream
    assert tap.counts == (21, 3, 20)


@pytest.mark.parametrize("text_bytes", [10, HELD_BYTES_MAX + 100, 3 * HELD_BYTES_MAX])
@pytest.mark.parametrize("step", [997, 65_536, 10**6])
def test_streams_of_responses_are_counted_and_pass(text_bytes: int, step: int) -> None:
    """The last event repeats the whole answer before its usage: it may be longer than what is held back."""
    stream, tap = _RESPONSE[0] + _RESPONSE[1] % (b"y" * text_bytes, _TOLD), UsageTap(remove=False)
    passed = b"".join(tap.feed(stream[at : at + step]) for at in range(0, len(stream), step)) + tap.finish()
    assert passed == stream
    assert tap.counts == (21, 2, 20)
