"""Which files a replay of the trace reads: named one by one, or found in the folder of the trace."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from alliage.errors import BadInput

NODES: Final = "openb_node_list_gpu_node.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceFiles:
    """The files of one workload. Without `arrivals` the orders are drawn from seeds."""

    nodes: Path | None
    pods: Path | None
    arrivals: Path | None


def find_files(folder: Path | None, workload: str, named: TraceFiles) -> TraceFiles:
    """The named files, and the folder's for those that are not. Raises BadInput where nodes or pods are missing.

    The arrivals of the folder belong to its own pods: they are not taken for a pod file that was named.
    """
    if folder is None:
        if named.nodes is None or named.pods is None:
            raise BadInput("no trace is named", remedy="name its folder, or give --nodes FILE --pods FILE")
        return named
    pods = named.pods or folder / f"openb_pod_list_{workload}.csv"
    if named.pods is None and not pods.is_file():
        there = sorted(path.stem.removeprefix("openb_pod_list_") for path in folder.glob("openb_pod_list_*.csv"))
        remedy = f"workloads there: {', '.join(there)}" if there else "name the folder that holds the trace's CSV files"
        raise BadInput(f"{folder} has no workload {workload!r}", remedy=remedy)
    own = folder / f"arrivals_{workload}.txt"
    arrivals = named.arrivals or (own if named.pods is None and own.is_file() else None)
    return TraceFiles(nodes=named.nodes or folder / NODES, pods=pods, arrivals=arrivals)
