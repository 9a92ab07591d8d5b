"""The launcher of the bundled llama.cpp: `python -m alliage.runtimes.llama_server`. Nothing of Alliage is imported.

llama.cpp's own OpenAI server runs in this process until a signal ends it. The key comes by environment only.
"""

import argparse
import os
import signal
import sys

KEY_VARIABLE = "ALLIAGE_REPLICA_KEY"
HTTP_THREADS_SPARE = 512
"""Threads beyond one a slot (8 KiB each): each waiting request and idle connection holds one, and /health needs one."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="llama_server")
    parser.add_argument("--model", required=True)
    parser.add_argument("--alias", required=True)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", required=True, type=int)
    parser.add_argument("--slots", required=True, type=int)
    parser.add_argument("--context", required=True, type=int, help="tokens over all slots")
    parser.add_argument("--threads", required=True, type=int)
    parser.add_argument("--embed", action="store_true")
    return parser.parse_args()


def serve(arguments: argparse.Namespace, key: str) -> None:
    """Load the model and answer until a signal; raises RuntimeError when llama.cpp cannot load it."""
    import xllamacpp  # noqa: PLC0415 - it takes a second, and `--help` does not need it

    params = xllamacpp.CommonParams()
    params.model.path = arguments.model
    params.model_alias = {arguments.alias}
    params.hostnames = [arguments.host]
    params.port = arguments.port
    params.api_keys = [key]
    params.n_parallel = arguments.slots
    params.n_ctx = arguments.context
    params.cpuparams.n_threads = arguments.threads
    params.cpuparams_batch.n_threads = arguments.threads
    params.n_threads_http = arguments.slots + HTTP_THREADS_SPARE
    params.cont_batching = True
    params.use_jinja = True
    params.endpoint_metrics = True
    params.endpoint_slots = True
    params.ui = False
    params.cache_ram_mib = 0  # a cache of past prompts of up to 8 GiB, beyond what the recipe was given
    params.cache_idle_slots = False
    params.fit_params = False  # the recipe decides the context, not what happens to be free now
    if arguments.embed:
        params.embedding = True  # pooled as the model's header says
        params.n_batch = params.n_ubatch = arguments.context // arguments.slots  # a text must fit in one batch
    server = xllamacpp.Server(params)
    print(f"serving {arguments.alias} at {server.listening_address}", flush=True)  # noqa: T201
    while True:
        signal.pause()


def main() -> None:
    """Run; the last line says what was wrong when it cannot."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the gateway has drained: end at once
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    key = os.environ.get(KEY_VARIABLE, "")
    if not key:
        sys.exit(f"error: no key: {KEY_VARIABLE} is not set")
    arguments = _arguments()
    try:
        serve(arguments, key)
    except ImportError as error:
        sys.exit(f"error: the engine is not installed: {error}")
    except RuntimeError as error:
        sys.exit(f"error: llama.cpp cannot serve {arguments.model}: {error}")


if __name__ == "__main__":
    main()
