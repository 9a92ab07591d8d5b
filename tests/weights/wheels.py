"""Builds wheels for tests and makes pip find them and nothing else."""

import zipfile
from pathlib import Path

import pytest


def write_wheel(folder: Path, *, name: str, version: str, files: dict[str, bytes]) -> Path:
    """A wheel `NAME-VERSION-py3-none-any.whl` that pip takes."""
    folder.mkdir(exist_ok=True)
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    about = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(path, data)
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{about}/RECORD", "")
    return wheel


def use_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make pip look for wheels in `folder`, and nowhere else."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
