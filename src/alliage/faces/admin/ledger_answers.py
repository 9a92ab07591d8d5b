"""What the admin API answers about usage, charges and prices. As `answers`: also read by the CLI.

Money is whole micros (millionths of `currency`); where a text of it stands beside, it is the same amount to the last digit.
"""

from alliage.faces.admin.answers import Answer


class SumsAnswer(Answer):
    """Of some requests, and of corrections."""

    requests: int
    prompt_tokens: int
    cached_tokens: int
    """Of the prompts', those that an engine held already."""
    output_tokens: int
    estimated: int
    """Requests whose tokens were counted, since the engine did not tell them."""
    unpriced: int
    """Requests for which no price was listed when they began: they cost nothing."""
    charged_micros: int
    corrected_micros: int
    """Of corrections made in this time, whenever the request was."""
    total_micros: int
    total: str


class UsageLineAnswer(SumsAnswer):
    """The sums of one name: a tenant, project, key, service, model, chip or day."""

    name: str
    label: str
    """What people call it: of a key that is still there its name, else as `name`."""


class UsageAnswer(Answer):
    """Requests that began in a month of UTC. `total` is the sum of the lines; `tenant` is "" for all."""

    tenant: str
    month: str
    by: str
    currency: str
    lines: tuple[UsageLineAnswer, ...]
    total: SumsAnswer


class BillLineAnswer(SumsAnswer):
    """Requests of one service with one model."""

    service: str
    model: str


class CorrectionAnswer(Answer):
    """An entry against the charge of one record: added to it, below zero for a credit."""

    record: str
    micros: int
    amount: str
    reason: str
    who: str
    """The name of the key that made it."""
    made_s: float


class BillAnswer(Answer):
    """Requests that began in the month, and corrections made in it. `total` is the sum of both."""

    tenant: str
    month: str
    currency: str
    lines: tuple[BillLineAnswer, ...]
    corrections: tuple[CorrectionAnswer, ...]
    total: SumsAnswer


class TokenPriceAnswer(Answer):
    """Micros a million tokens."""

    prompt_micros: int
    cached_micros: int
    output_micros: int


class RecordAnswer(Answer):
    """One request that was metered, and what it was charged, corrections aside. Times in seconds."""

    id: str
    request: str
    tenant: str
    project: str
    key: str
    service: str
    endpoint: str
    replica: str
    model: str
    recipe: str
    engine: str
    chip: str
    site: str
    rehearsed: bool
    """An engine that only keeps time answered it."""
    began_s: float
    duration_s: float
    ttft_s: float | None
    tpot_s: float | None
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    status: int
    ending: str
    """`finished`, `failed`, `cancelled` (the client left) or `cut` (the gateway process ended)."""
    continued: bool
    """More than one replica had a part in the answer."""
    estimated: bool
    """The engine did not tell its tokens: they were counted."""
    price: TokenPriceAnswer | None
    """By which it was charged; null where none was listed."""
    charged_micros: int
    charged: str


class RecordsAnswer(Answer):
    """A page of records, the newest first. `before` asks for the next one; "" after the last."""

    currency: str
    records: tuple[RecordAnswer, ...]
    before: str


class RecordInFullAnswer(Answer):
    """A record with its corrections, oldest first, and what it costs after them."""

    currency: str
    record: RecordAnswer
    corrections: tuple[CorrectionAnswer, ...]
    total_micros: int
    total: str


class CorrectedAnswer(Answer):
    """The counter-entry that was made, or would be in a dry run."""

    dry_run: bool
    currency: str
    correction: CorrectionAnswer


class PriceAnswer(Answer):
    """One entry of the price list: of requests that began at `from_s` or later."""

    pattern: str
    """Of a service's or model's name; `*` stands for anything."""
    from_s: float
    price: TokenPriceAnswer | None
    """Null where the entry ended what was listed."""
    who: str
    set_s: float
    coming: bool
    """It does not hold yet."""


class PricesAnswer(Answer):
    """What is listed now, by pattern, then what is to come."""

    currency: str
    prices: tuple[PriceAnswer, ...]


class PriceSetAnswer(Answer):
    """The entry that was added, or would be in a dry run."""

    dry_run: bool
    currency: str
    price: PriceAnswer
