"""Where the fuzzer begins: for each target inputs that are good, odd or known from attacks, and words to put together."""

from collections.abc import Mapping
from typing import Final

_POST: Final = b"POST /v1/completions HTTP/1.1\r\nHost: h\r\n"
_GET: Final = b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n"
_CHUNKED: Final = _POST + b"Transfer-Encoding: chunked\r\n\r\n"

FRAMINGS: Final = tuple(
    _POST + lines + b"\r\n\r\nhello" + _GET
    for lines in (
        b"Content-Length: 5", b"Content-Length: 5\r\nContent-Length: 6", b"Content-Length: 5\r\ncontent-length: 5", b"Content-Length: 5, 5",
        b"Content-Length: -5", b"Content-Length: +5", b"Content-Length: 0x5", b"Content-Length: ", b"Content-Length: 1 1", b"Content-Length: 1_0",
        b"Content-Length: 99999999999999999999999", b"Content-Length : 5", b"Content-Length\t: 5", b" Content-Length: 5", b"Content-Length:\r\n 5",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nContent-Length: 5", b"Transfer-Encoding: identity",
        b"Transfer-Encoding: xchunked", b"Transfer-Encoding: chunked, chunked", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
        b"Transfer-Encoding: \x0bchunked", b'Transfer-Encoding: "chunked"', b"Transfer-Encoding : chunked", b"Transfer-Encoding: chunked;q=1",
        b"Transfer-Encoding:\r\n chunked", b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: chunked\nX: y", b"X: a\rContent-Length: 5",
        b"X: a\nContent-Length: 5", b"X: a\0b", b"X: a\r\n b", b"X y: a", b"Xy", b": a", b"X: \x7f",
    )
) + tuple(
    _CHUNKED + body + _GET
    for body in (
        b"3\r\nabc\r\n0\r\n\r\n", b"3;a=b\r\nabc\r\n0\r\n\r\n", b'3;a="b\r\n"\r\nabc\r\n0\r\n\r\n', b"3;a\nb\r\nabc\r\n0\r\n\r\n", b"3;a\rb\r\nabc\r\n0\r\n\r\n",
        b"3\nabc\r\n0\r\n\r\n", b"3\r\nabc\n0\r\n\r\n", b"3\r\nabc\r\n0\n\n", b"0x3\r\nabc\r\n0\r\n\r\n", b"3 \r\nabc\r\n0\r\n\r\n", b" 3\r\nabc\r\n0\r\n\r\n",
        b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n", b"-3\r\nabc\r\n0\r\n\r\n", b"3\r\nabcd\r\n0\r\n\r\n", b"\r\nabc\r\n0\r\n\r\n", b"00000003\r\nabc\r\n000\r\n\r\n",
        b"3\r\nabc\r\n0\r\nContent-Length: 5\r\n\r\n", b"3\r\nabc\r\n0\r\nX: y\r\n\r\n", b"3\r\nabc\r\n0\r\nGET /health HTTP/1.1\r\n\r\n",
    )
)  # fmt: skip
_LINES: Final = (
    b"GET /health\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET /health HTTP/1.2\r\nHost: h\r\n\r\n", b"GET /health http/1.1\r\nHost: h\r\n\r\n",
    b"GET  /health HTTP/1.1\r\nHost: h\r\n\r\n", b"GET\t/health HTTP/1.1\r\nHost: h\r\n\r\n", b"\r\n\r\n" + _GET, b"get /health HTTP/1.1\r\nHost: h\r\n\r\n",
    b"CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"GET http://a/health HTTP/1.1\r\nHost: b\r\n\r\n",
    _POST + b"Content-Length: 5\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\nhello" + _GET, _POST + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
    _POST + b"Connection: close\r\nContent-Length: 0\r\n\r\n" + _GET, b"GET /health HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n",
)  # fmt: skip
_CHUNK: Final = b'{"id":"c","choices":[{"index":0,"delta":{"content":"a"}}]}'
_USAGE: Final = b'{"id":"c","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}'

CORPUS: Final[Mapping[str, tuple[bytes, ...]]] = {
    "intake": (*FRAMINGS, *_LINES, _GET * 3),
    "heads": (
        _POST + b"Content-Length: 5\r\n\r\nhello|||" + _POST + b"Content-Length: 3\r\n\r\nabc", _POST + b"X-Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        _GET + b"|||" + _GET, b"GET /health HTTP/1.1\r\nHost: h\r\ncontent-length: 0\r\n\r\n|||" + _POST + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}|||" + _GET,
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}|||HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n{ }",
        *(framing + b"|||" + framing for framing in FRAMINGS),
        *(
            _POST + name + b": 5\r\nContent-Length: 5\r\n\r\nhello|||" + _POST + name + b": 3\r\nContent-Length: 5\r\n\r\nabc"
            for name in (b"Xontent-Length", b"Content-Length2", b"X-Content-Length", b"X: ontent-Length", b"ontent-length", b"CONTENT-length")
        ),
    ),
    "ask": (
        b'{"model":"m","messages":[{"role":"user","content":"abc"}],"stream":true}', b'{"model":"m","stream_options":{"include_usage":false,"x":1},"stream":true}',
        b'{"model":"m","model":"n"}', b'{"mod\\u0065l":"m"}', b'{"model":"\\ud83d\\ude00"}', b'{"model":"\\ud800"}', b'{"model":"m","x":' + b"[" * 200 + b"]" * 200 + b"}",
        b'{"model":"m","x":1e999,"y":-0,"z":0.1e-7}', b'{"model":"m","x":NaN}', b'{"model":"m","x":01}', b'\xef\xbb\xbf{"model":"m"}', b'{"model":"m","x":"\xc3\xa9"}',
        b'{"model":"m","x":"\xff"}', b'{"model":null}', b' {\n"model" : "m" }\t', b'{"model":"m"}x', b'{"model":"m","stream_options":null}', b'{"model":"m","x":"\t"}',
    ),
    "sse": (
        b"data: " + _CHUNK + b"\n\ndata: " + _USAGE + b"\n\ndata: [DONE]\n\n", b"data: " + _USAGE + b"\r\n\r\n: comment\n\nevent: x\ndata: 1\n\n",
        b'data: {"choices":[],\ndata: "usage":{"prompt_tokens":1}}\n\n', b"data:" + _USAGE, b"\n\n\n\r\n\r\n", b'data: {"usage":null}\n\n', b"data: " + _CHUNK[:-1] + b',"usage":{"completion_tokens":9}}\n\n',
    ),
    "answer": (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nxyz",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", b"garbage", b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + 4 * b"5\r\nhello\r\n1\r\nx\r\n" + b"0\r\n\r\n",
    ),
}  # fmt: skip

WORDS: Final[Mapping[str, tuple[bytes, ...]]] = {
    "heads": (
        b"|||", b"\r\n", b"\r\n\r\n", b"Content-Length: 5\r\n", b"content-length: 5\r\n", b"ontent-Length: 5\r\n", b"Xontent-Length: 5\r\n", b"Content-Length: 3\r\n", b"ontent-Length: 3\r\n", b"hello", b"abc",
        b"?", b"X: ", b"Connection: close\r\n", b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n", _POST, _GET, b"HTTP/1.1 200 OK\r\n",
    ),
    "intake": (
        b"\r\n", b"\r\n\r\n", b"\n", b"\r", b" ", b"\t", b":", b";", b",", b"0\r\n\r\n", b"Content-Length: ", b"Transfer-Encoding: ", b"chunked", b"Connection: ", b"close", b"keep-alive",
        b"upgrade", b"Upgrade: h2c\r\n", b"Host: h\r\n", b"Expect: 100-continue\r\n", b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b"GET /", b"POST /v1/completions", b"HEAD ", b"OPTIONS * ", b"5", b"0", b"\x00", b"\xff",
    ),
    "ask": (
        b'"model":"n",', b'"stream":true,', b'"stream":false,', b'"stream":null,', b'"stream_options":{},', b'"stream_options":null,', b'"stream_options":{"include_usage":true,"x":[1]},',
        b'"stream_options":{"include_usage":false},', b'"include_usage":null,', b'"max_tokens":-1,', b'"max_completion_tokens":1e9,', b'"x":[{"model":"z"}],', b'"\\u006dodel":"o",', b"[],", b"{},", b'"\\n",', b'"model"', b'"stream"', b'"stream_options"', b'"include_usage"', b"true", b"false", b"null", b"{", b"}", b"[", b"]", b":", b",", b'"', b"\\u0000", b"\\", b"1e9", b"-", b".", b"\xc3\xa9", b"\xed\xa0\x80",
    ),
    "sse": (b"data: ", b"\n\n", b"\r\n\r\n", b"\n", b"\r", b'"usage"', b'"choices":[]', b"event: ", b": ", b"[DONE]", _USAGE, _CHUNK, b"\xff"),
    "answer": (b"HTTP/1.1 ", b"HTTP/1.0 ", b"200 OK\r\n", b"204 X\r\n", b"304 X\r\n", b"103 X\r\n\r\n", b"Content-Length: ", b"Transfer-Encoding: chunked\r\n", b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"0\r\n\r\n", b"5\r\nhello\r\n", b"Connection: close\r\n", b"5", b" ", b"\xff"),
}  # fmt: skip
"""What the formats are made of: bytes at random hardly ever get past the first line."""
