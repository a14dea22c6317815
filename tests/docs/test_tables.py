"""Tables of the pages say what the code says."""

import builtins

import pytest
from doc_pages import ROOT

import nvme as d
import reference

ERRORS = (ROOT / "docs/errors-and-warnings.md").read_text()
SOURCES = "".join(
    path.read_text()
    for folder, pattern in (("python/nvme", "*.py"), ("src", "*.cc"))
    for path in sorted((ROOT / folder).rglob(pattern))
    if not path.name.endswith("_test.cc")
)


def _rows(heading):
    """Cells of the first table below a line."""
    table = ERRORS[ERRORS.index(heading) :].split("\n\n")
    lines = next(part for part in table if part.startswith("| ")).splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_reference_is_up_to_date(page):
    text = page.read_text()
    assert reference.updated(text) == text, f"{page.name}: run tools/reference.py"


def test_warnings():
    for text, _ in _rows("## Warnings"):
        fixed = text.strip("`").split("%")[0].rstrip()
        assert fixed in SOURCES, f"no source file says {fixed!r}"


def test_ioworker_errors():
    rows = _rows("| `error` of an IOWorker")
    assert [int(number) for number, _, _ in rows] == list(range(-1, -8, -1))
    for _, text, _ in rows:
        assert f'"{text.strip("`")}"' in SOURCES, text


def test_exceptions():
    rows = _rows("## Exceptions")
    listed = {}
    for name, kinds, _ in rows:
        name = name.strip("`")
        listed[name] = getattr(d, name, None) or getattr(builtins, name)
        for kind in kinds.split(", "):
            assert issubclass(listed[name], getattr(builtins, kind)), f"{name} is no {kind}"
    public = {name for name in d.__all__ if name.endswith("Error")}
    assert public <= set(listed)
