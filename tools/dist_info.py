"""Write the metadata directory that makes a build tree look installed.

With it on sys.path, importlib.metadata finds pynvme and its entry points (the pytest plugin, the
command line) in a build tree, as it would in site-packages. The build runs this; a wheel does not.
"""

import sys
import tomllib
from pathlib import Path


def main(pyproject: Path, version: str, out: Path) -> None:
    project = tomllib.loads(pyproject.read_text())["project"]
    groups = {"console_scripts": project.get("scripts", {}), **project.get("entry-points", {})}
    entry_points = "".join(
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in groups.items()
    )
    folder = out / f"{project['name']}-{version}.dist-info"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {version}\n"
    )
    (folder / "entry_points.txt").write_text(entry_points)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
