"""Demand: what is asked of a service, as control reckons it from what the gateways saw."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Of one service, as plans take it: it rises at once and falls late, in coarse steps, so that plans do not flap."""

    rate_rps: float
    """Requests a second that are to be expected soon."""
    input_tokens: int | None = None
    """Of one request, in the mean; None: none has been answered yet."""
    output_tokens: int | None = None
    service_s: float | None = None
    """What one request takes an engine, in the mean; None as above."""
    is_wanted: bool = True
    """Somebody asked for it lately, so that it has a replica at least; else it may have none."""
    needed_before_s: float = 0.0
    """Replicas older than this (seconds since 1970) are needed, since nobody has watched yet for long enough to say otherwise."""
