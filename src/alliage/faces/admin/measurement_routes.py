"""Routes of measurements: record those of a service, list all."""

from fastapi import APIRouter

from alliage.faces.admin.access import Admin, Asked, Caller
from alliage.faces.admin.bodies import MeasurementBody, measure_order_of
from alliage.faces.admin.measurement_answers import MeasurementAnswer, MeasurementsAnswer
from alliage.faces.admin.tell_measured import tell_measured

router = APIRouter(prefix="/v1", tags=["measurements"])


@router.post("/services/{name}/measurements", status_code=201, summary="Record what was measured of a replica")
async def record(name: str, body: MeasurementBody, desk: Asked, _key: Admin) -> MeasurementAnswer:
    """Keep figures of one load on one replica of the service: its recipe is `measured` from now on. Needs the role admin.

    Chip, engine, precision and cores are taken from the replica. The newest 20 of a recipe on a node are kept.
    """
    return tell_measured(desk.record_measured(name, measure_order_of(body)), desk.view(), desk.catalog())


@router.get("/measurements", summary="List measurements")
async def measurements(desk: Asked, _key: Caller) -> MeasurementsAnswer:
    """All that are kept, the newest first, each beside the estimate of the same load."""
    view, catalog = desk.view(), desk.catalog()
    return MeasurementsAnswer(measurements=tuple(tell_measured(each, view, catalog) for each in desk.measured()))
