"""Starts llama.cpp on a model file for the length of a `with` block."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A running server: where it listens and its process."""

    url: str
    pid: int

    def post(self, path: str, body: dict[str, Any]) -> str:
        """The body of the answer to a JSON request."""
        request = Request(self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urlopen(request, timeout=60) as answer:
            text: str = answer.read().decode()
        return text


@contextmanager
def served(path: Path, *, slots: int = 4, context_tokens: int = 4096, embedding: bool = False) -> Iterator[Served]:
    """Serve `path`; the process is gone at the end of the block, also when the block fails.

    Its memory is looked at, so it runs without the measuring of coverage.
    """
    wanted = {"path": str(path), "slots": slots, "context_tokens": context_tokens, "embedding": embedding}
    program = str(Path(__file__).with_name("llama_server.py"))
    with subprocess.Popen(
        [sys.executable, program, json.dumps(wanted)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if name != "COVERAGE_PROCESS_START"},
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            url = next((line.strip() for line in process.stdout if line.startswith("http://")), "")
            assert url, f"llama.cpp did not start on {path}"
            yield Served(url=url, pid=process.pid)
        finally:
            process.kill()
