"""The ledger -> answers. As `tell`: reads, decides nothing."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from alliage.faces.admin import ledger_answers as answers
from alliage.fleet.prices import TokenPrice
from alliage.ledger.charging import Charge, Priced
from alliage.ledger.correcting import Correction, net_micros
from alliage.ledger.device_hours import ListedDevice
from alliage.ledger.money import money_text
from alliage.ledger.pricing import ListedPrice
from alliage.ledger.scarcity import Factor
from alliage.ledger.statements import Bill, Sums, Usage


def tell_usage(usage: Usage, labels: Mapping[str, str]) -> answers.UsageAnswer:
    """A month by something; `labels` are what people call names."""
    return answers.UsageAnswer(
        tenant=usage.tenant,
        month=str(usage.month),
        by=usage.by,
        currency=usage.currency,
        lines=tuple(
            answers.UsageLineAnswer(name=line.name, label=labels.get(line.name, line.name), **_sums(line.sums))
            for line in usage.lines
        ),
        total=answers.SumsAnswer(**_sums(usage.total)),
    )


def tell_bill(bill: Bill) -> answers.BillAnswer:
    """A tenant's month."""
    return answers.BillAnswer(
        tenant=bill.tenant,
        month=str(bill.month),
        currency=bill.currency,
        lines=tuple(
            answers.BillLineAnswer(service=line.service, model=line.model, **_sums(line.sums)) for line in bill.lines
        ),
        corrections=tuple(tell_correction(each) for each in bill.corrections),
        total=answers.SumsAnswer(**_sums(bill.total)),
    )


def tell_record(charge: Charge) -> answers.RecordAnswer:
    """One record and its charge."""
    told = asdict(charge.record)
    origin = told.pop("origin")
    renamed = {name: told.pop(f"is_{name}") for name in ("rehearsed", "continued", "estimated")}
    return answers.RecordAnswer(
        **told,
        **origin,
        **renamed,
        price=_price(charge.price),
        charged_micros=charge.micros,
        charged=money_text(charge.micros),
        scarcity_micros=charge.scarcity_micros,
    )


def tell_in_full(charge: Charge, corrections: tuple[Correction, ...], currency: str) -> answers.RecordInFullAnswer:
    """One record with its corrections."""
    total_micros = net_micros(charge, corrections)
    return answers.RecordInFullAnswer(
        currency=currency,
        record=tell_record(charge),
        corrections=tuple(tell_correction(each) for each in corrections),
        total_micros=total_micros,
        total=money_text(total_micros),
    )


def tell_correction(made: Correction) -> answers.CorrectionAnswer:
    """One counter-entry."""
    return answers.CorrectionAnswer(
        record=made.charge,
        micros=made.micros,
        amount=money_text(made.micros),
        reason=made.reason,
        who=made.who,
        made_s=made.made_s,
    )


def tell_price(entry: ListedPrice, now_s: float) -> answers.PriceAnswer:
    """One entry of the price list."""
    return answers.PriceAnswer(
        pattern=entry.pattern,
        from_s=entry.from_s,
        price=_price(entry.price),
        who=entry.who,
        set_s=entry.set_s,
        coming=entry.from_s > now_s,
        scarcity_max_ppm=entry.scarcity_max_ppm,
    )


def tell_device(entry: ListedDevice, now_s: float) -> answers.DevicePriceAnswer:
    """One entry of the price list of device-hours."""
    return answers.DevicePriceAnswer(**asdict(entry), coming=entry.from_s > now_s)


def tell_scarcity(factor: Factor, priced: Priced) -> answers.ScarcityAnswer:
    """What scarcity makes of a service's price now."""
    return answers.ScarcityAnswer(
        service=factor.service,
        factor_ppm=priced.factor_ppm,
        from_s=factor.from_s,
        price=answers.TokenPriceAnswer(**asdict(priced.price)),
        because=tuple(answers.ScarceAnswer(**asdict(each)) for each in factor.because),
    )


def _price(price: TokenPrice | None) -> answers.TokenPriceAnswer | None:
    return None if price is None else answers.TokenPriceAnswer(**asdict(price))


def _sums(sums: Sums) -> dict[str, Any]:
    return asdict(sums) | {"total_micros": sums.total_micros, "total": money_text(sums.total_micros)}
