"""Builds the sysfs and device files of a machine in a folder, and tools that answer what a test gives them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from alliage.catalog.loader import load_catalog
from alliage.fleet.ids import NodeId
from alliage.runtimes.detection.accelerators import Detected, detect_accelerators
from alliage.runtimes.detection.running import End, Ran

NODE = NodeId("here")
CATALOG = load_catalog()


@dataclass(slots=True, kw_only=True)
class Machine:
    """A machine below `root`. `answers` is by program: what it prints; one that is not in it is not there."""

    root: Path
    answers: dict[str, Ran] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def plug(self, address: str, ids: str, *, kind: str = "0x120000", driver: str = "there", **files: str) -> None:
        """Put a function in: `ids` is `vendor:device`; `driver` "" for none; more sysfs files by name."""
        folder = self.root / "pci" / address
        folder.mkdir(parents=True)
        vendor, _, device = ids.partition(":")
        told: Mapping[str, str] = {"vendor": f"0x{vendor}", "device": f"0x{device}", "class": kind, **files}
        for name, text in told.items():
            (folder / name).write_text(f"{text}\n")
        if driver:
            (folder / "driver").symlink_to(self.root / "drivers" / driver)

    def unplug(self, address: str) -> None:
        """Take it out."""
        folder = self.root / "pci" / address
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()

    def file(self, *paths: str) -> None:
        """Make device files (as plain ones)."""
        for path in paths:
            target = self.root / "files" / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()

    def says(self, program: str, text: str, *, end: End = End.ANSWERED, why: str = "") -> None:
        """What a program prints from now on."""
        self.answers[program] = Ran(end=end, text=text, why=why)

    def run(self, argv: Sequence[str]) -> Ran:
        """In place of a real run."""
        program = Path(argv[0]).name
        self.asked.append(program)
        return self.answers.get(program, Ran(end=End.MISSING, why=f"{program} is not there"))

    def detect(self) -> Detected:
        """One look, by the shipped catalogue."""
        return detect_accelerators(
            CATALOG.chips,
            CATALOG.stacks,
            node=NODE,
            pci_root=self.root / "pci",
            dev_root=self.root / "files",
            run=self.run,
            libraries=frozenset(),
        )
