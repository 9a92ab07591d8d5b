"""The Gavel replay: streams, rounds by hand, what is judged, our rule and the rivals on one small mix."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from alliage.decide.sharing.jobs import Jobs
from alliage.errors import BadInput
from alliage.replay.baselines.gavel import GavelSharer, solve_max_min
from alliage.replay.gavel.compare import POLICIES, Setting, build_sharer, play
from alliage.replay.gavel.makespan import bound_makespan_s, play_makespan
from alliage.replay.gavel.mix import draw_mix
from alliage.replay.gavel.outcome import judge
from alliage.replay.gavel.results import draw_plot, write_results
from alliage.replay.gavel.rounds import run_rounds
from alliage.replay.gavel.speeds import read_speeds
from tests.data import data_folder
from tests.replay.gavel.builders import a_mix, a_table, write_table

SMALL = Setting(rate_per_h=3.0, multi=True, jobs=120, watched=range(20, 60), devices_a_kind=8)


class OneKind:
    """Runs every job on the first kind."""

    def decide(self, jobs: Jobs, ids: NDArray[np.int64], now_s: float) -> NDArray[np.int64]:
        """All on kind 0."""
        del ids, now_s
        return np.zeros(len(jobs), dtype=np.int64)

    def account(self, ids: NDArray[np.int64], kinds: NDArray[np.int64], ran_s: NDArray[np.float64]) -> None:
        """Nothing."""


def test_a_file_in_gavels_format_is_read_back(tmp_path: Path) -> None:
    """The table written and read is the same; a file without a row names the row."""
    path = write_table(tmp_path / "speeds.json")
    assert read_speeds(path) == a_table()
    path.write_text("{}")
    with pytest.raises(BadInput, match="ResNet-18"):
        read_speeds(path)
    with pytest.raises(BadInput, match="no throughputs"):
        read_speeds(tmp_path / "none.json")


def test_the_streams_are_gavels() -> None:
    """Against the published table: mean work of a job 16.8 h on the first kind, gangs as drawn, first arrival at 0."""
    folder = data_folder()
    if folder is None or not (folder / "gavel").is_dir():
        pytest.skip("Gavel's throughputs are not here (ALLIAGE_TEST_DATA names their folder)")
    table = read_speeds(folder / "gavel" / "simulation_throughputs.json")
    mix = draw_mix(seed=0, jobs=9000, rate_per_h=5.6, multi=True, table=table)
    assert mix.arrivals_s[0] == 0.0
    assert mix.arrivals_s[-1] / 3600.0 == pytest.approx(9000 / 5.6, rel=0.03)
    assert (mix.steps / mix.speeds[:, 0]).mean() / 3600.0 == pytest.approx(16.77, rel=0.05)
    assert [(mix.gangs == gang).mean() for gang in (1, 2, 4, 8)] == pytest.approx([0.7, 0.1, 0.15, 0.05], abs=0.02)


def test_one_stream_serves_both_mixes() -> None:
    """Up to the first gang the single and the multi mix have the same work, since both draw the same numbers."""
    single = draw_mix(seed=3, jobs=50, rate_per_h=1.0, multi=False, table=a_table())
    multi = draw_mix(seed=3, jobs=50, rate_per_h=1.0, multi=True, table=a_table())
    first = int(np.nonzero(multi.gangs > 1)[0][0])
    assert single.arrivals_s.tolist() == multi.arrivals_s.tolist()
    assert single.steps[:first].tolist() == multi.steps[:first].tolist()


def test_rounds_by_hand() -> None:
    """Two jobs of 2 steps/s: 1000 and 300 steps. Whole steps of 360 s; a round without the long one would end early."""
    mix = a_mix([0.0, 400.0], [1, 1], [[2.0], [2.0]], [1000.0, 300.0])
    run = run_rounds(mix, np.array([2]), OneKind(), watched=range(2))
    assert run.finishes_s.tolist() == [500.0, 650.0]
    assert run.moves.tolist() == [1, 1]
    assert run.starts_s.tolist() == [0.0, 360.0, 500.0]
    outcome = judge(mix, np.array([2]), run, range(2))
    assert outcome.completion_h.tolist() == pytest.approx([500 / 3600, 250 / 3600])
    assert outcome.slowdown.tolist() == pytest.approx([1.0, 250 / 150])


def test_a_private_share_of_two_is_half() -> None:
    """Two jobs in turns on one device, done at 1080 and 1440 s. Half a device until 1080 s, then all of it: 1260 s."""
    mix = a_mix([0.0, 0.0], [1, 1], [[1.0], [1.0]], [720.0, 720.0])
    devices = np.array([1])
    run = run_rounds(mix, devices, build_sharer("alliage", devices, 2), watched=range(2))
    outcome = judge(mix, devices, run, range(2))
    assert sorted(run.finishes_s.tolist()) == [1080.0, 1440.0]
    assert sorted(outcome.finish_ratio.tolist()) == pytest.approx([1080 / 1260, 1440 / 1260])


@pytest.mark.parametrize("policy", POLICIES)
def test_the_same_seed_gives_the_same_bytes(policy: str, tmp_path: Path) -> None:
    """Each policy twice on one seed: the same outcome, the same result file; every watched job is finished."""
    twice = [play(policy, seed=5, setting=SMALL, table=a_table()) for _ in range(2)]
    assert twice[0].outcome.completion_h.tobytes() == twice[1].outcome.completion_h.tobytes()
    paths = [write_results(tmp_path / str(at), SMALL, [each]) for at, each in enumerate(twice)]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert (twice[0].outcome.completion_h > 0.0).all()


def test_jobs_move_at_most_five_times_though_far_more_come_than_can_run() -> None:
    """Single jobs, 2 and 8 an hour where the devices can do about one: on average at most 5 moves a job."""
    for rate_per_h in (2.0, 8.0):
        setting = Setting(rate_per_h=rate_per_h, multi=False, jobs=160, watched=range(20, 120), devices_a_kind=8)
        assert play("alliage", seed=0, setting=setting, table=a_table()).outcome.moves.mean() <= 5.0


def test_the_plot_is_drawn(tmp_path: Path) -> None:
    """A picture file, the same bytes for the same runs."""
    pytest.importorskip("matplotlib")
    played = [play("alliage", seed=5, setting=SMALL, table=a_table())]
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = (draw_plot(tmp_path / name, SMALL, played).read_bytes() for name in ("a", "b"))
    assert first == second
    assert first.startswith(b"\x89PNG")


def test_gavels_programme_by_hand() -> None:
    """Two like jobs on one device have half each; a fast kind goes to whom the slow one suits less, to an equal level."""
    half = solve_max_min(np.array([1, 1]), np.array([[1.0], [1.0]]), np.array([1]))
    assert half.least == pytest.approx(0.5, rel=1e-5)
    both = solve_max_min(np.array([1, 1]), np.array([[3.0, 1.0], [1.0, 1.0]]), np.array([1, 1]), solver="simplex")
    assert both.least >= 1.0 - 1e-9


def test_gavel_fills_idle_devices_with_jobs_that_it_planned() -> None:
    """One of two devices planned for one job; a job that came after the plan waits for the next one."""
    sharer = GavelSharer(np.array([2]), count=2)
    kinds = run_rounds(
        a_mix([0.0, 400.0], [1, 1], [[1.0], [1.0]], [3600.0, 360.0]), np.array([2]), sharer, watched=range(2)
    )
    assert kinds.finishes_s[1] >= 2160.0


def test_makespan_is_near_its_bound() -> None:
    """One job of two hours of work cannot end before; a crowd's last finish is above the bound and near it."""
    alone = a_mix([0.0], [1], [[2.0, 1.0]], [2.0 * 7200.0])
    assert bound_makespan_s(alone, np.array([4, 4])) == pytest.approx(7200.0)
    crowd = play_makespan(seed=1, jobs=60, table=a_table(), devices_a_kind=8)
    assert crowd.bound_h <= crowd.makespan_h <= 1.1 * crowd.bound_h


def test_a_gang_that_fits_nowhere_is_refused() -> None:
    """Four devices for a gang of eight: a refusal by name before the first round, not a replay without an end."""
    with pytest.raises(BadInput, match="gang of 8"):
        run_rounds(a_mix([0.0], [8], [[2.0]], [10.0]), np.array([4]), OneKind(), watched=range(1))
    with pytest.raises(BadInput, match="watched"):
        run_rounds(a_mix([0.0], [1], [[2.0]], [10.0]), np.array([4]), OneKind(), watched=range(2))


def test_the_clock_goes_on_where_a_rival_lets_all_wait() -> None:
    """Gavel plans for the first job only; the second, alone and not in the plan, waits for the next plan and ends."""
    devices = np.array([1])
    mix = a_mix([0.0, 100.0], [1, 1], [[1.0], [1.0]], [360.0, 360.0])
    assert run_rounds(mix, devices, GavelSharer(devices, count=2), watched=range(2)).finishes_s[1] >= 1920.0


def test_no_policy_of_that_name() -> None:
    """The refusal names those there are."""
    with pytest.raises(BadInput, match="gavel-fill"):
        build_sharer("fifo", np.array([1]), 1)
    assert asdict(SMALL)["multi"] is True
