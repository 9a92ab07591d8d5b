"""What the admin API answers about a fit. Also read by the CLI, so nothing heavier than Pydantic here."""

from collections.abc import Mapping

from alliage.faces.admin.answers import Answer


class FitRowAnswer(Answer):
    """One way to run the model. Bytes are over all devices; figures are null where `unknown` says what is missing.

    Of five measured speeds four lie between low and high. `users`: how many at once keep the objective.
    """

    chip: str
    engine: str
    precision: str
    devices: int
    weight_bytes: int
    kv_bytes: int
    usable_bytes: int
    users: int | None
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
    """Best first."""

    model: str
    rows: tuple[FitRowAnswer, ...]
    rejected: tuple[FitRejectedAnswer, ...]
