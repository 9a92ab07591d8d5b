"""The bundled launcher as a program: what it says when it cannot serve, and how light it is."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.models.alphabet import write_alphabet

KEY = {"ALLIAGE_REPLICA_KEY": "k"}


def _argv(model: Path, port: int = 1) -> list[str]:
    where = ["--model", str(model), "--alias", "a", "--host", "127.0.0.1", "--port", str(port)]
    module = [sys.executable, "-m", "alliage.runtimes.llama_server"]
    return [*module, *where, "--slots", "2", "--context", "1024", "--threads", "1"]


def _run(model: Path, environment: dict[str, str]) -> tuple[int, str]:
    done = subprocess.run(_argv(model), env=environment, capture_output=True, text=True, timeout=60, check=False)
    # llama.cpp's own thread logs at the same time: a line of its may stand behind ours, or before it on the same line.
    ours = done.stderr[done.stderr.rindex("error: ") :]
    return done.returncode, ours.splitlines()[0]


def test_without_a_key_it_does_not_serve(tmp_path: Path) -> None:
    """An engine that answered everybody would be worse than none."""
    assert _run(tmp_path / "m.gguf", {}) == (1, "error: no key: ALLIAGE_REPLICA_KEY is not set")


def test_a_file_that_is_no_model_is_named_at_the_end(tmp_path: Path) -> None:
    """It ends with 1 and the path, after llama.cpp's own words."""
    model = tmp_path / "m.gguf"
    model.write_text("hello")
    code, last = _run(model, KEY)
    assert code == 1
    assert last.startswith(f"error: llama.cpp cannot serve {model}: ")


def test_it_ends_at_once_when_told(tmp_path: Path) -> None:
    """SIGTERM ends it while it serves; the signal is its exit, as the watcher tells."""
    model = tmp_path / "m.gguf"
    write_alphabet(model)
    with subprocess.Popen(_argv(model, 0), env=KEY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            assert process.stdout is not None
            assert any(line.startswith(b"serving a at http://127.0.0.1:") for line in process.stdout)
            os.kill(process.pid, signal.SIGTERM)
            assert process.wait(20) == -signal.SIGTERM
        finally:
            process.kill()


def test_it_imports_nothing_heavy() -> None:
    """The engine's process holds the engine, not Alliage."""
    program = "import sys, alliage.runtimes.llama_server; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"asyncio", "msgspec", "pydantic", "structlog", "xllamacpp"}
    assert {name for name in loaded if name.startswith("alliage")} == {
        "alliage",
        "alliage.runtimes",
        "alliage.runtimes.llama_server",
    }
