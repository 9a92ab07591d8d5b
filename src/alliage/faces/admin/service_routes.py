"""Routes of services: deploy, read, explain, delete."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from alliage.control.desk import Desk
from alliage.errors import Forbidden, NotFound
from alliage.faces.admin import answers, tell
from alliage.faces.admin.access import Asked, Caller, need_admin
from alliage.faces.admin.bodies import DeployBody, order_of
from alliage.faces.admin.measured_words import measured_text
from alliage.faces.admin.measurement_answers import ServiceInFullAnswer
from alliage.faces.admin.tell_measured import tell_measured_of
from alliage.faces.admin.tell_top import tell_by_plan
from alliage.faces.admin.top_answers import ExplainInFullAnswer
from alliage.faces.by_plan import by_plan_text
from alliage.faces.explain import explain
from alliage.fleet.ids import ServiceName
from alliage.fleet.keys import Key, Role

router = APIRouter(prefix="/v1/services", tags=["services"])


@router.post(
    "",
    responses={
        200: {"model": answers.DeployAnswer, "description": "A dry run, or a service that was there and was changed"},
        201: {"model": answers.DeployAnswer, "description": "A new service"},
        409: {"model": answers.DeployAnswer, "description": "Nothing here can serve it (`error`); nothing was changed"},
    },
    summary="Deploy a model",
)
async def deploy(body: DeployBody, desk: Asked, key: Caller) -> JSONResponse:
    """Ask for a service. Asking again changes its objective and replicas.

    Keys of role `user` may deploy models of the catalogue, and may change only the services of their own tenant.
    """
    _check_deploy(desk, key, body)
    answer = tell.tell_deployed(desk, await desk.deploy(order_of(body, tenant=key.tenant)))
    status = 200 if answer.dry_run else 409 if not answer.accepted else 201 if answer.created else 200
    return JSONResponse(answer.model_dump(mode="json"), status_code=status)


@router.get("", summary="List services")
async def services(desk: Asked, _key: Caller) -> answers.ServicesAnswer:
    """All services, oldest first."""
    return answers.ServicesAnswer(services=tell.tell_services(desk, desk.view()))


@router.get("/{name}", summary="Read one service")
async def service(name: str, desk: Asked, _key: Caller) -> ServiceInFullAnswer:
    """One service, with what was measured of the recipes that it runs by."""
    view = desk.view()
    found = view.service(name)
    measured = tell_measured_of(found.name, desk.measured(), view, desk.catalog())
    return ServiceInFullAnswer(**dict(tell.tell_service(desk, found, view)), measurements=measured)


@router.get("/{name}/explain", summary="Why a service is as it is")
async def explained(
    name: str, desk: Asked, _key: Caller, limit: Annotated[int, Query(ge=1, le=500)] = 20
) -> ExplainInFullAnswer:
    """What was decided, what was rejected and why, and what would change it; also for a service that was refused.

    With what the plan of now says: it tries changes for up to 5 s, and says where it was cut short.
    """
    view, catalog, decisions = desk.view(), desk.catalog(), desk.decisions(name, limit)
    measured = measured_text(tell_measured_of(ServiceName(name), desk.measured(), view, catalog))
    planned = await desk.explained_by_plan(name)
    text = explain(name, decisions, view=view, catalog=catalog, wanted=desk.wanted(view))
    parts = (text, by_plan_text(planned) if planned is not None else "", measured)
    return ExplainInFullAnswer(
        service=name,
        text="\n\n".join(part for part in parts if part),
        decisions=tuple(tell.tell_decision(each, view, catalog) for each in decisions),
        by_plan=tell_by_plan(planned) if planned is not None else None,
    )


@router.delete("/{name}", summary="Delete a service")
async def delete(name: str, desk: Asked, key: Caller) -> answers.ServiceAnswer:
    """Mark it for deletion: its replicas finish what they answer, stop, and then it is gone."""
    _check_tenant(desk, key, name)
    leaving = await desk.delete(name)
    return tell.tell_service(desk, leaving, desk.view())


def _check_deploy(desk: Desk, key: Key, body: DeployBody) -> None:
    """Raise Forbidden where a user asks for more than a catalogue model in the own tenant."""
    if key.role is Role.ADMIN:
        return
    card = desk.catalog().models.get(body.model)
    if card is None and ("/" in body.model or ":" in body.model):
        need_admin(key, f"deploying {body.model!r}, which is not in the catalogue,")
    if card is None:
        known = ", ".join(sorted(desk.catalog().models)) or "none"
        raise NotFound(f"the catalogue has no model {body.model!r}", remedy=f"models: {known}")
    if body.remote_code:
        need_admin(key, "remote_code")
    name = body.name or card.id
    if any(each.name == name for each in desk.view().services):
        _check_tenant(desk, key, name)


def _check_tenant(desk: Desk, key: Key, name: str) -> None:
    """Raise Forbidden where a user would change another tenant's service, NotFound where there is none."""
    found = desk.view().service(name)
    if key.role is not Role.ADMIN and found.tenant != key.tenant:
        message = f"service {name!r} belongs to tenant {found.tenant!r}; the key {key.name!r} is of {key.tenant!r}"
        raise Forbidden(message, remedy="use a key of that tenant, or one of role admin")
