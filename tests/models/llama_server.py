"""A program for tests of models: llama.cpp's server on one file, alone in its process. Prints its address when ready."""

import json
import signal
import sys

import xllamacpp


def main() -> None:
    """Serve as the JSON in the first argument says: `path`, `slots`, `context_tokens` (a slot's), `embedding`."""
    wanted = json.loads(sys.argv[1])
    params = xllamacpp.CommonParams()
    params.model.path = wanted["path"]
    params.n_parallel = wanted["slots"]
    params.n_ctx = wanted["slots"] * wanted["context_tokens"]
    params.embedding = wanted["embedding"]
    params.port = 0
    params.use_jinja = True
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(params)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    signal.pause()


if __name__ == "__main__":
    main()
