"""The arrows of the design: what each folder of src/ may include.

Reads the text of the #include lines only; whether the code compiles is the compiler's business.
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

SRC = Path(__file__).resolve().parents[2] / "src"
SUFFIXES = {".h", ".cc"}

# A folder may include itself and these.
LAYERS = {
    "base": set(),
    "spec": {"base"},
    "ssd": {"base", "spec"},
    "pcie": {"base", "spec"},
    "driver": {"base", "spec", "pcie"},
    "verify": {"base", "spec", "pcie", "driver"},
    "ioworker": {"base", "spec", "pcie", "driver", "verify"},
    "bindings": {"base", "spec", "pcie", "driver", "verify", "ioworker"},
}
# The in-process door is the one place that knows both sides.
SSD_DOOR = PurePosixPath("pcie/embedded")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)


def violations(path: PurePosixPath, text: str) -> Iterator[str]:
    """Say what is wrong with the includes of one file; `path` is relative to src/."""
    layer = path.parts[0]
    for own, foreign in INCLUDE.findall(text):
        if foreign:
            if layer != "bindings" and re.match(r"nanobind/|Python\.h|pybind11/", foreign):
                yield f"{path} includes <{foreign}>: only bindings/ knows Python"
            if foreign.split("/")[0] in LAYERS:
                yield f'{path} includes <{foreign}>: write "{foreign}"'
            continue
        target = own.split("/")[0]
        if target not in LAYERS or "/" not in own or ".." in own:
            yield f'{path} includes "{own}": write the path from src/'
        elif target == "ssd" and layer != "ssd":
            if SSD_DOOR not in path.parents:
                yield f'{path} includes "{own}": only {SSD_DOOR}/ sees the ssd'
        elif target != layer and target not in LAYERS[layer]:
            yield f'{path} includes "{own}": {layer} may not see {target}'


def sources() -> list[PurePosixPath]:
    files = (p for p in SRC.rglob("*") if p.suffix in SUFFIXES)
    return sorted(PurePosixPath(p.relative_to(SRC)) for p in files)


def test_every_folder_of_src_is_a_known_layer() -> None:
    assert {path.parts[0] for path in sources()} <= LAYERS.keys()


def test_includes_point_down() -> None:
    found = [v for path in sources() for v in violations(path, (SRC / path).read_text())]
    assert not found, "\n" + "\n".join(found)


def test_includes_of_our_own_files_exist() -> None:
    missing = [
        f'{path} includes "{own}"'
        for path in sources()
        for own, _ in INCLUDE.findall((SRC / path).read_text())
        if own and not (SRC / own).is_file()
    ]
    assert not missing, "\n" + "\n".join(missing)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("base/a.h", '#include "spec/b.h"'),
        ("pcie/a.cc", '#include "driver/b.h"'),
        ("pcie/a.cc", '#include "ssd/b.h"'),
        ("pcie/vfio/a.cc", '#  include "ssd/b.h"'),
        ("bindings/a.cc", '#include "ssd/b.h"'),
        ("ssd/deep/a_test.cc", '#include "pcie/b.h"'),
        ("verify/a.h", '#include "ioworker/b.h"'),
        ("driver/a.cc", "#include <nanobind/nanobind.h>"),
        ("driver/a.cc", "#include <Python.h>"),
        ("driver/a.cc", '#include "queue.h"'),
        ("driver/a.cc", '#include "driver/../ioworker/b.h"'),
        ("driver/a.cc", "#include <ioworker/b.h>"),
    ],
)
def test_a_wrong_arrow_is_found(path: str, line: str) -> None:
    text = f'// The file.\n#pragma once\n#include "{path}"\n{line}\n'
    assert len(list(violations(PurePosixPath(path), text))) == 1


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("pcie/embedded/a.cc", '#include "ssd/b.h"'),
        ("ssd/a.cc", '#include "spec/b.h"'),
        ("ioworker/a.cc", '#include "verify/b.h"'),
        ("bindings/a.cc", "#include <nanobind/nanobind.h>"),
        ("driver/pcie/a.cc", '#include "driver/b.h"'),
        ("base/crc.cc", "#include <isa-l/crc.h>"),
    ],
)
def test_a_right_arrow_is_not(path: str, line: str) -> None:
    assert not list(violations(PurePosixPath(path), line))
