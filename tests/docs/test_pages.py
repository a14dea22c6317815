"""Every example of every page runs, and prints what the page shows."""

import doctest
import json
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from doc_pages import PAGES, ROOT, blocks, output_of, without_figures

BLOCKS = [block for page in PAGES for block in blocks(page)]
LANGUAGES = {"python", "pycon", "shell", "text"}
# How many blocks are left out and why; another one is a decision to be made here as well.
NOT_RUN = {
    "needs QEMU 11": 1,
    "needs a drive at 02:00.0": 1,
    "needs a power module": 1,
    "needs a target": 3,
    "needs the server above": 1,
    "serves until it is stopped": 1,
}
TIMEOUT = 300


def _where(page):
    return str(page.relative_to(ROOT))


def _of(language, **wanted):
    return [
        block
        for block in BLOCKS
        if block.language == language
        and block.mark != "not run"
        and all(getattr(block, name) == value for name, value in wanted.items())
    ]


def _run(command, folder, stdin=None):
    return subprocess.run(
        command,
        cwd=folder,
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


def _save_files(page, folder, before):
    for block in _of("python", page=page):
        if block.line < before:
            (folder / block.file_name).write_text(block.text)


def _compare(block, got):
    shown = output_of(block)
    if shown is None:
        return
    want = shown.text
    if "figures" in shown.info:
        want, got = without_figures(want), without_figures(got)
    checker = doctest.OutputChecker()
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    example = doctest.Example(block.text, want)
    assert checker.check_output(want, got, flags), (
        f"{block.id} prints something else:\n{checker.output_difference(example, got, flags)}"
    )


@pytest.mark.parametrize("page", PAGES, ids=_where)
def test_languages(page):
    """Every block says what it is, so none is forgotten."""
    for block in blocks(page):
        assert block.language in LANGUAGES, f"{block.id}: ```{block.language}"
        assert not (block.mark == "checked only" and block.language != "shell"), block.id


@pytest.mark.parametrize("page", [p for p in PAGES if _of("pycon", page=p)], ids=_where)
def test_sessions(page, tmp_path):
    sessions = [[block.line, block.section, block.text] for block in _of("pycon", page=page)]
    session = Path(__file__).with_name("session.py")
    run = _run([sys.executable, session], tmp_path, json.dumps(sessions))
    assert run.returncode == 0, f"{_where(page)}\n{run.stdout}"
    assert int(run.stdout.splitlines()[-1].split()[0]) >= len(sessions)


def _is_test(block):
    return re.search(r"^def test_|^    def test_", block.text, re.MULTILINE) is not None


def _run_by_the_page(block):
    """A shell block of the page runs the file."""
    return bool(block.info) and any(
        block.file_name in shell.text for shell in _of("shell", page=block.page, mark="")
    )


@pytest.mark.parametrize("page", [p for p in PAGES if _of("python", page=p)], ids=_where)
def test_python_blocks(page, tmp_path):
    direct = [block for block in _of("python", page=page) if not _run_by_the_page(block)]
    tests = [block for block in direct if _is_test(block)]
    for block in tests:
        (tmp_path / block.file_name).write_text(block.text)
    if tests:
        names = [block.file_name for block in tests]
        run = _run([sys.executable, "-m", "pytest", "-q", "-s", "--rootdir=.", *names], tmp_path)
        assert run.returncode == 0, f"{_where(page)}\n{run.stdout}"
        for block in tests:
            _compare(block, run.stdout)
    for block in direct:
        if block not in tests:
            (tmp_path / block.file_name).write_text(block.text)
            run = _run([sys.executable, block.file_name], tmp_path)
            assert run.returncode == 0, f"{block.id}\n{run.stdout}"
            _compare(block, run.stdout)


# --- shell blocks ---------------------------------------------------------------------------------


def _commands(block):
    text = block.text.replace("\\\n", " ")
    lines = [shlex.split(line, comments=True) for line in text.splitlines()]
    return [words for words in lines if words]


_WITH_OPTIONS = ("serve", "discover", "demo", "bench", "test", "info", "setup", "reset")


@cache
def _launcher_commands():
    usage = subprocess.run(
        [ROOT / "pynvme", "--help"], capture_output=True, text=True, check=True, timeout=300
    ).stdout
    return set(re.findall(r"^  ([a-z]+)(?: |$)", usage, re.MULTILINE))


@cache
def _options(command):
    """Options that `pynvme COMMAND` or pytest takes."""
    module = ["pytest", "--help"] if command == "test" else ["nvme.cli", command, "--help"]
    text = _run([sys.executable, "-m", *module], ROOT).stdout
    return set(re.findall(r"(?<![\w-])(--?[a-zA-Z][\w-]*)", text))


def _check(block, words):
    """The command, its options and files are there."""
    program, *arguments = words
    if program == "make":
        targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert arguments[0] in targets, f"{block.id}: make {arguments[0]}"
        return
    if program == ".ci/run":
        steps = re.findall(r"^#   (\w+) ", (ROOT / program).read_text(), re.MULTILINE)
        assert set(arguments) <= set(steps), f"{block.id}: {words}"
        return
    if program not in ("./pynvme", "pynvme", "pytest"):
        return
    command = "test" if program == "pytest" else arguments.pop(0)
    assert command in _launcher_commands(), f"{block.id}: {words}"
    known = _options(command) if command in _WITH_OPTIONS else set()
    of_the_page = {other.file_name for other in _of("python", page=block.page)}
    for word in arguments:
        if word.startswith("-"):
            assert word.split("=")[0] in known, f"{block.id}: {command} has no {word}"
        elif word.split("::")[0].endswith(".py"):
            name = word.split("::")[0]
            assert name in of_the_page or (ROOT / name).exists(), f"{block.id}: {name}"


def _as_run_here(block, words):
    """The command in this environment; the launcher would set one up first."""
    program, *arguments = words
    python = [sys.executable, "-m"]
    arguments = [
        str(ROOT / word) if (ROOT / word.split("::")[0]).is_file() else word for word in arguments
    ]
    if program in ("./pynvme", "pynvme"):
        return [*python, "nvme.cli", *arguments]
    if program == "pytest":
        return [*python, "pytest", *arguments]
    if program == "python":
        return [sys.executable, *arguments]
    assert program == "cat", f"{block.id}: {program}? Mark the block as checked only"
    return words


@pytest.mark.parametrize("block", _of("shell"), ids=lambda block: block.id)
def test_shell_block(block, tmp_path):
    commands = _commands(block)
    assert commands
    for words in commands:
        _check(block, words)
    if block.mark == "checked only":
        return
    _save_files(block.page, tmp_path, block.line)
    for shell in _of("shell", page=block.page, mark=""):  # `cat` of what an earlier one wrote
        if shell.line < block.line and any(words[0] == "cat" for words in commands):
            for words in _commands(shell):
                _run(_as_run_here(shell, words), tmp_path)
    printed = ""
    for words in commands:
        run = _run(_as_run_here(block, words), tmp_path)
        printed += run.stdout
        last = words is commands[-1]
        assert run.returncode == (block.exit_code if last else 0), f"{block.id}\n{printed}"
    _compare(block, printed)


def test_what_is_not_run_is_counted():
    reasons = {}
    for block in BLOCKS:
        if block.mark == "not run":
            reasons[block.reason] = reasons.get(block.reason, 0) + 1
    assert reasons == NOT_RUN
