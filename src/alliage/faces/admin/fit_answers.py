"""What the admin API answers about a fit. Also read by the CLI, so nothing heavier than Pydantic here."""

from collections.abc import Mapping

from alliage.faces.admin.answers import Answer


class FitRowAnswer(Answer):
    """One way to run the model. Bytes are over all devices; figures are null where `unknown` says what is missing.

    Of five measured speeds four lie between low and high. `users`: how many at once keep the objective; `rate`: the requests a
    second of one replica with so many, `replicas` what the asked rate takes, and the price of a million output tokens then.
    """

    chip: str
    node: str = ""
    engine: str
    precision: str
    devices: int
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    cores: int = 0
    weight_bytes: int
    kv_bytes: int
    usable_bytes: int
    users: int | None
    rate: float | None = None
    replicas: int | None = None
    price_micros_per_million_tokens: int | None = None
    price_basis: str = ""
    ttft_s: float | None
    tpot_s: float | None
    throughput_tps: float | None
    throughput_low_tps: float | None
    throughput_high_tps: float | None
    evidence: str
    unknown: str


class FitRejectedAnswer(Answer):
    """A way that cannot be, and why."""

    option: str
    code: str
    facts: Mapping[str, str | int | float]
    text: str


class FitAnswer(Answer):
    """Best first. `ways` is how many there are with those that differ in their number of devices only."""

    model: str
    rows: tuple[FitRowAnswer, ...]
    ways: int
    rejected: tuple[FitRejectedAnswer, ...]
