"""Write requirements/*.txt: every version that is installed, and nothing else (no index, no hash of an index).

pip resolves all groups together once, then each group against those versions, so the files agree.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
TARGETS = ROOT / "requirements"


def resolve(wanted: list[str], constraints: list[str]) -> list[str]:
    """`name==version` of all that pip would install, sorted."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(constraints))
        file.flush()
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        command += ["--only-binary=:all:", "--report", "-", "-c", file.name, *wanted]
        report = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    found = ((entry["metadata"]["name"], entry["metadata"]["version"]) for entry in report["install"])
    return sorted(f"{name.lower()}=={version}" for name, version in found)


def main() -> None:
    """Resolve and write."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    run = project["project"]["dependencies"] + extras["llama"] + extras["compile"]
    dev = project["dependency-groups"]["dev"] + extras["postgres"]
    everything = resolve(run + dev, [])
    TARGETS.mkdir(exist_ok=True)
    for name, wanted in {"run": run, "dev": run + dev}.items():
        pins = resolve(wanted, everything)
        (TARGETS / f"{name}.txt").write_text("\n".join(pins) + "\n")
        print(f"requirements/{name}.txt: {len(pins)} packages")


if __name__ == "__main__":
    main()
