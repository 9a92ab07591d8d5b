"""Files of a user's own catalogue, as a test writes them."""

from pathlib import Path


def put(folder: Path, kind: str, text: str, name: str = "entry.toml") -> Path:
    """A file of the user's catalogue in `folder`."""
    file = folder / kind / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file
