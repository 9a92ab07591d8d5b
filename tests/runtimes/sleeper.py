"""A stand-in for vLLM's server where only its sleep matters: /health, /sleep?level=1 and /wake_up, as its documentation has them.

`--refuses` beside its arguments (the model's name) lets it refuse to sleep.
"""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class _Handler(BaseHTTPRequestHandler):
    is_asleep = False

    def do_GET(self) -> None:
        """It is well, asleep or not; /is_sleeping tells."""
        told = b"true" if _Handler.is_asleep else b"false"
        self._answer(200, told if self.path == "/is_sleeping" else b"")

    def do_POST(self) -> None:
        """Sleep or wake."""
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.path == "/sleep?level=1" and "refuses" in " ".join(sys.argv):
            self._answer(500, b"")
        elif self.path in ("/sleep?level=1", "/wake_up"):
            _Handler.is_asleep = self.path != "/wake_up"
            self._answer(200, b"")
        else:
            self._answer(404, b"")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Nothing."""


if __name__ == "__main__":
    port = int(sys.argv[sys.argv.index("--port") + 1])
    HTTPServer(("127.0.0.1", port), _Handler).serve_forever()
