"""What the admin API accepts. Strict bodies, turned to domain values at once by the functions beside them."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from alliage.control.measuring import MeasureOrder
from alliage.control.names import PLAIN_NAME, PLAIN_NAME_RULE
from alliage.control.orders import DeployOrder


def _plain(name: str) -> str:
    """The name, which fits into an address and a line of text, and is not like a key's id; raises ValueError."""
    if PLAIN_NAME.fullmatch(name) is None:
        raise ValueError(PLAIN_NAME_RULE)
    return name


PlainName = Annotated[str, AfterValidator(_plain), Field(json_schema_extra={"pattern": f"^{PLAIN_NAME.pattern}$"})]


class Body(BaseModel):
    """Strict: no unknown field, no text where a number belongs."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True)


class DeployBody(Body):
    """A service that is asked for: a model, what is promised of it, and how many replicas it may have."""

    model: Annotated[str, Field(min_length=1, max_length=4096)]
    """A catalogue name, an absolute path of a GGUF file or Hugging Face folder, or a hub id ORG/NAME."""
    name: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    """Of the service, and of the model at the gateway; the model's own id when left out."""
    ttft_s: float | None = None
    """Seconds to the first token."""
    tpot_s: float | None = None
    """Seconds a token after the first."""
    rate_rps: float | None = None
    """Requests a second that are to be expected; what is seen when left out."""
    residency: Annotated[list[Annotated[str, Field(min_length=1, max_length=100)]], Field(max_length=100)] = Field(
        default_factory=list
    )
    """Sites, regions or tags of sites where it may live; anywhere when left out."""
    min_replicas: int = 1
    """0: none while nobody asks; the first request brings one."""
    max_replicas: int | None = None
    """When left out, as many as needed where an objective or a rate is asked or `min_replicas` is 0, else `min_replicas`."""
    remote_code: bool = False
    """Whether code that comes with the model may run (admins only)."""
    dry_run: bool = False
    """Decide and tell, change nothing."""


class MeasurementBody(Body):
    """Figures of one load on one replica: `concurrency` requests always in flight, each of so many tokens in the mean.

    Tokens a second are those of all requests together; times are medians over the requests, in seconds.
    """

    replica: Annotated[str, Field(min_length=1, max_length=200)]
    """Its id, as `GET /v1/replicas` tells it."""
    concurrency: int
    input_tokens: int
    output_tokens: int
    """At least 2: one token has no time between tokens."""
    throughput_tps: float
    """Output tokens a second from the first request's start to the last one's end: over `duration_s`."""
    decode_tps: float
    """Output tokens a second while answers are written: `concurrency` over the mean time a token."""
    ttft_s: float
    tpot_s: float
    requests: int
    duration_s: float


def measure_order_of(body: MeasurementBody) -> MeasureOrder:
    """The figures that a body tells of; the desk checks them."""
    return MeasureOrder(
        replica=body.replica,
        concurrency=body.concurrency,
        input_tokens=body.input_tokens,
        output_tokens=body.output_tokens,
        throughput_tps=body.throughput_tps,
        decode_tps=body.decode_tps,
        ttft_s=body.ttft_s,
        tpot_s=body.tpot_s,
        requests=body.requests,
        duration_s=body.duration_s,
    )


def order_of(body: DeployBody, *, tenant: str) -> DeployOrder:
    """The order that a body stands for, in the name of `tenant`."""
    return DeployOrder(
        model=body.model,
        name=body.name,
        tenant=tenant,
        ttft_s=body.ttft_s,
        tpot_s=body.tpot_s,
        min_replicas=body.min_replicas,
        max_replicas=body.max_replicas,
        rate_rps=body.rate_rps,
        residency=tuple(body.residency),
        remote_code=body.remote_code,
        dry_run=body.dry_run,
    )
