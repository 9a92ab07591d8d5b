"""The proxies that ours is measured beside: nginx, and haproxy, vllm-router and LiteLLM where they are installed.

Each is set up as its own documents recommend for this work, or by its defaults, and runs on one core.
"""

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from socket import create_server
from typing import Final, Protocol

from bench.gateway.processes import Proxy, running, wait_until_listening
from bench.gateway.tools import ROOT, find_optional, find_program

NGINX: Final = "nginx"
HAPROXY: Final = "haproxy"
ROUTER: Final = "vllm-router"
LITELLM: Final = "litellm"
_START_S: Final = 120.0
_NGINX: Final = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
events {{ worker_connections 19000; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_body_buffer_size 1m;
    keepalive_requests 1000000000;
    keepalive_timeout 300s;
    upstream engine {{
        server 127.0.0.1:{upstream_port};
        keepalive 512;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://engine;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
        }}
    }}
}}
"""
_HAPROXY: Final = """
global
    nbthread 1
    maxconn 9000
defaults
    mode http
    option http-no-delay
    timeout connect 5s
    timeout client 300s
    timeout server 300s
    http-reuse always
frontend door
    bind 127.0.0.1:{port}
    default_backend engine
backend engine
    server engine 127.0.0.1:{upstream_port} pool-max-conn 512
"""
_LITELLM: Final = """
model_list:
  - model_name: bench
    litellm_params:
      model: openai/bench
      api_base: http://127.0.0.1:{upstream_port}/v1
      api_key: none
"""


class Start(Protocol):
    """Starts one proxy before the engine on `upstream_port`."""

    def __call__(self, *, upstream_port: int, core: int, folder: Path) -> AbstractAsyncContextManager[Proxy]:
        """Ready as long as the context is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """A proxy to compare with. `start` is None where it is not installed, `way` says how to install it."""

    name: str
    way: str
    start: Start | None


def _free_port() -> int:
    with create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
    return port


@asynccontextmanager
async def _listening(
    name: str, port: int, argv: Sequence[str], *, core: int, folder: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Proxy]:
    log = folder / f"{name}.log"
    async with running(*argv, core=core, log=log, environment=environment, listens=False) as process:
        await wait_until_listening(process, port, log, _START_S)
        yield Proxy(name=name, port=port, pid=process.pid)


def nginx(*, upstream_port: int, core: int, folder: Path) -> AbstractAsyncContextManager[Proxy]:
    """A plain reverse proxy: one worker, kept-alive upstream connections, no buffering of answers, no access log."""
    port, conf = _free_port(), folder / "nginx.conf"
    conf.write_text(_NGINX.format(folder=folder, upstream_port=upstream_port, port=port))
    errors = str(folder / "nginx-errors.log")
    argv = (find_program("nginx"), "-p", str(folder), "-e", errors, "-c", str(conf))
    return _listening(NGINX, port, argv, core=core, folder=folder)


def haproxy(*, upstream_port: int, core: int, folder: Path) -> AbstractAsyncContextManager[Proxy]:
    """One thread, upstream connections used again, no delay of small writes."""
    port, conf = _free_port(), folder / "haproxy.cfg"
    conf.write_text(_HAPROXY.format(upstream_port=upstream_port, port=port))
    argv = (find_program("haproxy"), "-db", "-f", str(conf))
    return _listening(HAPROXY, port, argv, core=core, folder=folder)


def vllm_router(*, upstream_port: int, core: int, folder: Path) -> AbstractAsyncContextManager[Proxy]:
    """One worker by `round_robin`, without its default's search for shared prefixes: nothing is added to what it must do."""
    port = _free_port()
    argv = [str(_program(ROUTER)), "--host", "127.0.0.1", "--port", str(port), "--policy", "round_robin"]
    argv += ["--worker-urls", f"http://127.0.0.1:{upstream_port}", "--log-level", "warning"]
    argv += ["--prometheus-host", "127.0.0.1", "--prometheus-port", str(_free_port())]
    return _listening(ROUTER, port, argv, core=core, folder=folder, environment={"HOME": str(folder)})


@asynccontextmanager
async def litellm(*, upstream_port: int, core: int, folder: Path) -> AsyncIterator[Proxy]:
    """Its defaults with one model: one worker, no database, the one key that it insists on, its own copy of its price table."""
    port, conf, key = _free_port(), folder / "litellm.yaml", f"sk-{secrets.token_urlsafe(32)}"
    conf.write_text(_LITELLM.format(upstream_port=upstream_port))
    argv = [str(_program(LITELLM)), "--config", str(conf), "--host", "127.0.0.1", "--port", str(port)]
    environment = {"HOME": str(folder), "PATH": "/usr/bin:/bin", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    environment["LITELLM_MASTER_KEY"] = key
    started = _listening(LITELLM, port, argv, core=core, folder=folder, environment=environment)
    async with started as proxy:
        yield replace(proxy, key=key)


def _program(name: str) -> Path:
    return ROOT / f".venv-{name}" / "bin" / name


def find_rivals() -> tuple[Rival, ...]:
    """All but nginx, which is always there, in the order in which they are shown."""
    here = find_optional("haproxy") is not None
    return (
        Rival(name=HAPROXY, way="scripts/bench-rivals, or apt-get install haproxy", start=haproxy if here else None),
        Rival(name=ROUTER, way="scripts/bench-rivals", start=vllm_router if _program(ROUTER).exists() else None),
        Rival(name=LITELLM, way="scripts/bench-rivals", start=litellm if _program(LITELLM).exists() else None),
    )
