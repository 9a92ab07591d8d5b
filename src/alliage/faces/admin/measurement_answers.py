"""What the admin API answers about measurements. Also read by the CLI, so nothing heavier than Pydantic here."""

from alliage.faces.admin.answers import Answer, ServiceAnswer


class EstimateAnswer(Answer):
    """What the speed model says of the same load without any measurement. Of five measured speeds four lie between low and high."""

    throughput_tps: float
    throughput_low_tps: float
    throughput_high_tps: float
    decode_tps: float
    ttft_s: float
    tpot_s: float


class MeasurementAnswer(Answer):
    """Figures of one load on one replica: `concurrency` requests always in flight, each of so many tokens.

    Tokens a second are those of all requests together, times medians. `estimated` is null where `unknown` says what an
    estimate lacks; `ratio` is measured over estimated throughput.
    """

    at_s: float
    service: str
    node: str
    chip: str
    engine: str
    engine_version: str
    model: str
    precision: str
    devices: int
    cores: int
    slots: int
    concurrency: int
    input_tokens: int
    output_tokens: int
    throughput_tps: float
    decode_tps: float
    ttft_s: float
    tpot_s: float
    requests: int
    duration_s: float
    origin: str
    evidence: str
    estimated: EstimateAnswer | None
    ratio: float | None
    unknown: str


class MeasurementsAnswer(Answer):
    """All that are kept, the newest first."""

    measurements: tuple[MeasurementAnswer, ...]


class ServiceInFullAnswer(ServiceAnswer):
    """An endpoint, and what was measured of the recipes that it runs by: the newest first."""

    measurements: tuple[MeasurementAnswer, ...] = ()
