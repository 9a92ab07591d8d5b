"""odd: nodes on which a recipe does much less than on the others of its make. Pure."""

from collections.abc import Iterable, Mapping
from math import exp, log
from statistics import fmean
from typing import Final

from alliage.fleet.ids import NodeId
from alliage.fleet.measured import Measured, Origin, RecipeKey

ODD_FOR_S: Final = 1800.0
ODD: Final = 0.7
"""A node that does less than this part of what the others of its make do is odd."""


def odd_nodes(measured: Iterable[Measured], now_s: float) -> frozenset[NodeId]:
    """Nodes on which gateways saw a recipe do less than ODD of what the same recipe does on others under a like load.

    The newest of each node counts, for ODD_FOR_S (`now_s` in seconds since 1970): then it gets another chance.
    """
    newest: dict[tuple[RecipeKey, bool], dict[NodeId, Measured]] = {}
    for each in measured:
        if each.origin is Origin.GATEWAY and not each.cores and now_s - each.at_s < ODD_FOR_S:
            nodes = newest.setdefault((each.key, each.is_rehearsed), {})
            known = nodes.get(each.node)
            if known is None or each.at_s >= known.at_s:
                nodes[each.node] = each
    return frozenset(node for rows in newest.values() for node in _slow(rows))


def _slow(rows: Mapping[NodeId, Measured]) -> list[NodeId]:
    """By the time of a token a request, which grows slowly with concurrency: it is held against the others' mean."""
    if len(rows) < 2:
        return []
    found = []
    for node, row in rows.items():
        others = exp(fmean(log(other.tpot_s) for name, other in rows.items() if name != node))
        if row.tpot_s * ODD > others:
            found.append(node)
    return found
