# Holds the tests of this folder to the documents: each example is a test with the text of the
# document, or it is in the table of what waits.
import ast
import hashlib
import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
EXAMPLES = {"000": 1, "001": 13, "002": 0, "003": 57, "004": 45}
MARK = re.compile(r"\s*# (example|end) ((?:\d{3}\.\d+ ?)+)$")
MENDED = re.compile(r".*  # mended: .*?; was: ?(.*)$")
ADDED = re.compile(r".*  # added(: .*)?$")


def original(line):
    """The line as the document has it; nothing when the document has none."""
    if ADDED.match(line):
        return ""
    mended = MENDED.match(line)
    return (mended[1] if mended else line).strip()


def examples_of(path):
    """{example: (first line, last line, text in the document)} of a test file."""
    found, under_way = {}, {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        mark = MARK.match(line)
        if mark and mark[1] == "example":
            under_way |= {name: (number, []) for name in mark[2].split()}
        elif mark:
            for name in mark[2].split():
                first, lines = under_way.pop(name)
                found[name] = (first, number, "\n".join(filter(None, lines)))
        else:
            for _, lines in under_way.values():
                lines.append(original(line))
    assert not under_way, f"{path}: no end of {sorted(under_way)}"
    return found


def lines_of_tests(path):
    tests = [
        range(node.lineno, node.end_lineno + 1)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test")
    ]
    return {line for lines in tests for line in lines}


FILES = sorted(HERE.glob("seed_*/test_*.py"))
TESTED = {}
for _path in FILES:
    for _name, _found in examples_of(_path).items():
        TESTED.setdefault(_name, []).append((_path, *_found))
TABLE = re.search(r"^## WAITING$(.*?)^#", (HERE / "README.md").read_text(), re.M | re.S)[1]
WAITING = re.findall(r"^\| (\d{3}\.\d+) \| .+ \| .+ \|$", TABLE, re.M)
DIGESTS = dict(line.split() for line in (HERE / "digests.txt").read_text().splitlines())
NAMES = [f"{document}.{n}" for document, count in EXAMPLES.items() for n in range(1, count + 1)]


def test_each_example_is_tested_or_waits():
    assert sorted([*TESTED, *WAITING]) == sorted(NAMES)
    assert list(DIGESTS) == NAMES
    assert [name for name, places in TESTED.items() if len(places) != 1] == []


@pytest.mark.parametrize("name", TESTED)
def test_the_text_is_that_of_the_document(name):
    ((path, _, _, text),) = TESTED[name]
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == DIGESTS[name], f"{path}:\n{text}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_examples_run_in_tests(path):
    in_tests = lines_of_tests(path)
    lines = path.read_text().splitlines()
    for name, (first, last, _) in examples_of(path).items():
        for number in range(first, last + 1):
            line = lines[number - 1].strip()
            free = not line or line.startswith(("#", "import ", "from ", "@pytest"))
            assert free or number in in_tests, f"{name}: {path}:{number} is in no test"


def test_no_example_is_skipped():
    for path in FILES:
        assert not re.search(r"mark\.(skip|xfail)", path.read_text()), path
