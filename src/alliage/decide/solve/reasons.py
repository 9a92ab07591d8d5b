"""Why a plan is as it is, as data: codes and facts. A face renders them."""

from dataclasses import dataclass
from enum import StrEnum

from alliage.decide.reasons import Facts


class WhyCode(StrEnum):
    """Each code's facts are named beside it; the face has a sentence for every one (a test holds it)."""

    CHEAPEST = "cheapest"
    """way, pool, count, cost_micros: what an hour of the whole demand costs there at today's prices, which is the least"""
    RUNS_THERE = "runs_there"
    """way, pool, count: it runs there already, and moving would cost more than it saves"""
    NEXT_BEST = "next_best"
    """way, pool, cost_micros: something else would cost less, but has no room for it"""
    WHOLE_REPLICAS = "whole_replicas"
    """way, pool, cost_micros, than (way), than_pool: for a request that costs less, and has room, but whole replicas of it do not"""
    ONLY_WAY = "only_way"
    """way, pool: nothing else can do it at all"""
    DEARER = "dearer"
    """way, pool, worse_micros: it could run there too, but an hour of it costs so much more at today's prices"""
    UNAVAILABLE = "unavailable"
    """way, chip: no pool has this chip"""
    RESIDENCY = "residency"
    """way, pool, site: its residency does not allow the site"""
    FAILED = "failed"
    """way: its recipe has failed and is not tried again until someone asks"""
    RATE_UNKNOWN = "rate_unknown"
    """way, pool: its speed is not known, so nothing can be reckoned to be served by it"""
    GANG_TOO_LARGE = "gang_too_large"
    """way, pool, chip, devices, node_devices: no node has so many of one make, nor do whole nodes add up to them"""
    TOO_LATE = "too_late"
    """way, pool, finish_s, deadline_s: too slow for the deadline"""
    DEVICES_FULL = "devices_full"
    """work, pool, devices, taken, own (devices that the work has there itself): the rest is given to what counts for more"""
    NO_GANG_FREE = "no_gang_free"
    """way, pool, devices, free: free devices, but not so many on one node"""
    BUDGET = "budget"
    """tenant, budget_micros, spent_micros"""
    REPLICAS_MAX = "replicas_max"
    """work, max_replicas"""
    ALL_RUN = "all_run"
    """work, count: all its jobs run, some of them by a slower way than its fastest"""
    SPREAD = "spread"
    """work, spread, places: no two replicas may share one, and there are no more of them"""
    NOT_WORTH = "not_worth"
    """work, value_micros, cost_micros: an hour of it costs more than the tenant says it is worth"""
    NO_WAY = "no_way"
    """work: it has no usable way at all"""
    HELD = "held"
    """pool, holders: what runs there may not be taken away yet"""
    GUARANTEE_SMALL = "guarantee_small"
    """way, devices, left: the gang is larger than what is left of the guarantee"""
    ADD_NODES = "add_nodes"
    """pool, site, chip, nodes, work, kind (`rps` or `jobs`), serves (more than now), left (what would still be missing), replicas (more of the least)"""
    ALLOW_SITE = "allow_site"
    """work, site, kind, serves, left, replicas"""
    RAISE_BUDGET = "raise_budget"
    """tenant, budget_micros (the new one), work, kind, serves, left, replicas"""
    RAISE_REPLICAS_MAX = "raise_replicas_max"
    """work, max_replicas (the new one), kind, serves, left, replicas"""
    LOSE_NODES = "lose_nodes"
    """pool, site, chip, nodes, work, instead (ways and pools, may be empty), missing: what would come of it without them"""
    MORE_STARTS = "more_starts"
    """lost, starts, gap (what as many starts as were lost would prove; not there: they would not keep every share)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """A code and its facts. Money is micros an hour."""

    code: WhyCode
    facts: Facts
