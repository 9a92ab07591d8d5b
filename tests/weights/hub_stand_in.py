"""A stand-in of the Hugging Face hub on loopback, with the answers of its API that a fetch needs, and its failures."""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import pytest

COMMIT = "c0ffee" * 6 + "c0ff"
PIECE_BYTES = 1 << 14


@dataclass(kw_only=True)
class Hub:
    """What the stand-in holds and how it fails. `served` has each request for a file, with its Range or ""."""

    repository: str
    files: dict[str, bytes]
    tags: list[str] = field(default_factory=lambda: ["license:apache-2.0"])
    break_after: list[int] = field(default_factory=list)
    """Each answer with a file's bytes takes one from here and closes the connection after so many."""
    statuses: list[int] = field(default_factory=list)
    """Each request for a file takes one from here and gets this status instead."""
    lie_about: set[str] = field(default_factory=set)
    """Files whose listed hash is wrong."""
    hold_after: int | None = None
    """Send so many bytes of a file, then nothing more until `go`."""
    go: threading.Event = field(default_factory=threading.Event)
    answer: tuple[int, str, bytes] | None = None
    """What the API says instead: status, X-Error-Code, body."""
    silent: bool = False
    """Take connections to the API and never answer before `go`."""
    ranges: bool = True
    served: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    def info(self) -> dict[str, object]:
        """The description of the repository; large files are in LFS and so have a SHA-256."""
        return {"id": self.repository, "sha": COMMIT, "tags": self.tags, "siblings": [*map(self._sibling, self.files)]}

    def _sibling(self, path: str) -> dict[str, object]:
        data = self.files[path]
        told: dict[str, object] = {"rfilename": path, "size": len(data), "blobId": hashlib.sha1(data).hexdigest()}
        if path.endswith((".gguf", ".safetensors", ".bin")):
            sha256 = "0" * 64 if path in self.lie_about else hashlib.sha256(data).hexdigest()
            told["lfs"] = {"sha256": sha256, "size": len(data), "pointerSize": 134}
        return told


@contextmanager
def serving(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Serve `hub` and make child processes use it, until the end of the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("HF_HUB_OFFLINE", "HF_TOKEN", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    try:
        yield hub
    finally:
        hub.go.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if path == f"/api/models/{self.hub.repository}" or path.startswith(f"/api/models/{self.hub.repository}/"):
            self._tell(path.rpartition("/revision/")[2] if "/revision/" in path else "main")
        elif match := re.fullmatch(rf"/{re.escape(self.hub.repository)}/resolve/([^/]+)/(.+)", path):
            self._send_file(match[1], match[2])
        else:
            self._refuse(404, "RepoNotFound")

    def _tell(self, revision: str) -> None:
        if self.hub.silent:
            self.hub.go.wait(60)
        if self.hub.answer is not None:
            status, code, body = self.hub.answer
            self._refuse(status, code, body)
            return
        if revision not in {"main", COMMIT}:
            self._refuse(404, "RevisionNotFound")
            return
        self._head(200, len(body := json.dumps(self.hub.info()).encode()), kind="application/json")
        self.wfile.write(body)

    def _send_file(self, revision: str, path: str) -> None:
        wanted = self.headers.get("Range", "")
        self.hub.served.append((path, wanted))
        if self.hub.statuses:
            self._refuse(self.hub.statuses.pop(0), "")
            return
        if revision != COMMIT or path not in self.hub.files:
            self._refuse(404, "EntryNotFound")
            return
        data = self.hub.files[path]
        start, end = 0, len(data)
        if self.hub.ranges and (match := re.fullmatch(r"bytes=(\d+)-(\d*)", wanted)):
            start, end = int(match[1]), min(int(match[2]) + 1 if match[2] else end, end)
            if start >= len(data):
                self._head(416, 0)
                return
            self._head(206, end - start, span=f"bytes {start}-{end - 1}/{len(data)}")
        else:
            self._head(200, end)
        self._send(data[start:end])

    def _send(self, body: bytes) -> None:
        limit = self.hub.break_after.pop(0) if self.hub.break_after else len(body)
        for place in range(0, min(limit, len(body)), PIECE_BYTES):
            if self.hub.hold_after is not None and place >= self.hub.hold_after:
                self.hub.go.wait(60)
            try:
                self.wfile.write(body[place : min(place + PIECE_BYTES, limit)])
            except ConnectionError:
                break
        self.close_connection = limit < len(body)

    def _refuse(self, status: int, code: str, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _head(self, status: int, length: int, *, span: str = "", kind: str = "application/octet-stream") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        self.send_header("X-Repo-Commit", COMMIT)
        if span:
            self.send_header("Content-Range", span)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""
