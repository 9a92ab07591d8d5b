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
    scarcity_micros: int
    """Of `charged_micros`, what requests cost more than by the list price."""
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
    """By which it was charged, with scarcity; null where none was listed."""
    charged_micros: int
    charged: str
    scarcity_micros: int
    """Of `charged_micros`, what it cost more than by the list price."""


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
    scarcity_max_ppm: int | None
    """The most that scarcity makes of the price, in millionths of it; null: scarcity changes nothing."""


class DevicePriceAnswer(Answer):
    """One entry of the price list: what a device-hour of a chip costs from `from_s` on."""

    chip: str
    from_s: float
    micros_per_hour: int | None
    """Null where the entry ended what was listed."""
    who: str
    set_s: float
    coming: bool
    """It does not hold yet."""


class ScarceAnswer(Answer):
    """Devices of one chip at one site that serve and are scarce: micros of a device-hour by the list, and by the plan."""

    chip: str
    site: str
    count: int
    list_micros: int
    price_micros: int


class ScarcityAnswer(Answer):
    """Of a service whose tokens cost more than the list price now: how many times as much, since when, and why."""

    service: str
    factor_ppm: int
    """Millionths of the list price."""
    from_s: float
    price: TokenPriceAnswer
    """In force now."""
    because: tuple[ScarceAnswer, ...]


class PricesAnswer(Answer):
    """What is listed now, by pattern, then what is to come; of device-hours by chip; and what scarcity makes of prices now."""

    currency: str
    prices: tuple[PriceAnswer, ...]
    devices: tuple[DevicePriceAnswer, ...]
    scarcity: tuple[ScarcityAnswer, ...]


class DevicePriceSetAnswer(Answer):
    """The entry that was added, or would be in a dry run."""

    dry_run: bool
    currency: str
    price: DevicePriceAnswer


class PriceSetAnswer(Answer):
    """The entry that was added, or would be in a dry run."""

    dry_run: bool
    currency: str
    price: PriceAnswer
