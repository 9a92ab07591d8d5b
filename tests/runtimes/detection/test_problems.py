"""What is missing is told so that a person can act: the thing by its name, and a command where one does it."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from alliage.runtimes.detection import problems
from alliage.runtimes.detection.problems import Lack, Problem
from tests.runtimes.detection.machine import CATALOG

_LOOK = """
import sys
from pathlib import Path
from alliage.catalog.records import Stack
from alliage.runtimes.detection.files import device_files
stack = Stack(id="acme", maker="acme", name="Acme", device_files=("/dev/acme{N}",))
for file in device_files(stack, Path(sys.argv[1])):
    print(file.path, file.usable, file.group)
"""


def test_problems_name_the_thing_and_the_way_out() -> None:
    """Of each kind: its lack, the name in the sentence, the command."""
    nvidia, biren = CATALOG.stacks["nvidia"], CATALOG.stacks["biren"]
    told: list[tuple[Problem, Lack, str, str]] = [
        (problems.driver_missing(nvidia, ("a", "b")), Lack.DRIVER, "a, b", "sudo ubuntu-drivers install; then: lspci"),
        (problems.driver_missing(biren, ("a",)), Lack.DRIVER, "a", "install the driver of Biren BIRENSUPA as biren"),
        (problems.not_permitted(nvidia, "/dev/nvidia0", "video"), Lack.PERMISSION, "/dev/nvidia0", "usermod -aG video"),
        (problems.tool_missing(biren), Lack.TOOL, "brsmi", "install the tools of Biren BIRENSUPA"),
        (problems.tool_missing(CATALOG.stacks["tpu"]), Lack.TOOL, "no tool is known", "Google TPU"),
        (problems.cpu_unknown(), Lack.CHIP, "processor", "$ALLIAGE_HOME/chips/NAME.toml"),
        (problems.engine_missing(), Lack.ENGINE, "no engine", "pip install 'alliage[llama]'"),
    ]
    for problem, lack, what, fix in told:
        assert problem.lack is lack
        assert what in problem.what
        assert fix in problem.fix


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else for a moment")
def test_device_files_are_tried_as_the_user_who_runs(tmp_path: Path) -> None:
    """What belongs to root alone is not usable by another user, whose group would have to be root's."""
    (tmp_path / "dev").mkdir()
    for name, mode in (("acme0", 0o600), ("acme1", 0o666)):
        (tmp_path / "dev" / name).touch()
        (tmp_path / "dev" / name).chmod(mode)
    ours = [folder for folder in tmp_path.parents if folder != Path(tempfile.gettempdir()) and folder.owner() == "root"]
    for folder in (tmp_path / "dev", tmp_path, *ours):
        folder.chmod(folder.stat().st_mode | 0o755)
    code = f"import os; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n{_LOOK}"
    loaded_first = f"import alliage.runtimes.detection.files\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", loaded_first, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.splitlines() == ["/dev/acme0 False root", "/dev/acme1 True root"], done.stderr
