"""The admin API: puts routes, guard and faults together. The admin port serves what `build_admin` returns."""

from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.middleware import Middleware
from fastapi.responses import HTMLResponse, RedirectResponse

from alliage.control.bookkeeping import Bookkeeper
from alliage.control.desk import Desk
from alliage.faces.admin import (
    catalog_routes,
    fit_routes,
    fleet_routes,
    key_routes,
    ledger_routes,
    limit_routes,
    measurement_routes,
    node_routes,
    project_routes,
    service_routes,
    tenant_routes,
    top_routes,
)
from alliage.faces.admin.access import Caller
from alliage.faces.admin.answers import ErrorAnswer, HealthAnswer
from alliage.faces.admin.faults import register_faults
from alliage.faces.admin.guard import Guard
from alliage.faces.admin.metrics import FleetCollector, scrape
from alliage.faces.admin.page import api_page

_ABOUT: Final = (
    "Ask for models to be served, and see what runs, where, and why. "
    "Every route here but /health needs a key; this page (/docs, to which / leads) and /openapi.json need none."
)
_METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def build_admin(
    desk: Desk,
    *,
    books: Bookkeeper,
    gateway_url: str,
    version: str,
    allowed_hosts: frozenset[str],
    gateways: int = 1,
) -> FastAPI:
    """The application. Runs on control's event loop (the desk has one thread).

    `allowed_hosts` are what a `Host` header may be: `localhost` (any port) or `localhost:8001`. `gateway_url` is what clients are told, such as `http://127.0.0.1:8000`.
    `gateways` is how many gateway processes there are to be.
    """
    app = FastAPI(
        title="Alliage admin API",
        description=_ABOUT,
        version=version,
        docs_url=None,
        redoc_url=None,
        middleware=[Middleware(Guard, desk=desk, allowed_hosts=allowed_hosts)],
        responses={"default": {"model": ErrorAnswer, "description": "An error: code, message, remedy"}},
    )
    app.state.desk, app.state.version, app.state.gateway_url = desk, version, gateway_url
    app.state.gateways = gateways
    app.state.books = books
    register_faults(app)
    for router in (
        fleet_routes.router,
        node_routes.router,
        catalog_routes.router,
        fit_routes.router,
        service_routes.router,
        top_routes.router,
        measurement_routes.router,
        key_routes.router,
        tenant_routes.router,
        project_routes.router,
        limit_routes.router,
        ledger_routes.router,
    ):
        app.include_router(router)
    _add_own(app, desk, version)
    return app


def _add_own(app: FastAPI, desk: Desk, version: str) -> None:
    """Health, metrics and the page."""
    collector = FleetCollector(desk, version)

    @app.get("/health", tags=["self"], summary="Whether control answers; needs no key")
    async def health() -> HealthAnswer:
        """Always 200 while control runs."""
        return HealthAnswer(status="ok", version=version)

    @app.get("/metrics", tags=["self"], summary="The fleet as Prometheus text", response_class=Response)
    async def metrics(_key: Caller) -> Response:
        """Nodes, services and replicas by phase, and what is free."""
        return Response(scrape(collector), media_type=_METRICS_TYPE)

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        return api_page(app.openapi(), address=str(request.base_url))

    @app.get("/", include_in_schema=False)
    async def root() -> RedirectResponse:
        return RedirectResponse("/docs")
