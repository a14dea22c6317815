"""Write the parts of docs/*.md that repeat what the code says.

Between the lines `<!-- reference NAME -->` and `<!-- end of reference -->` of a page stands

    nvme.Buffer, psd.SQE    what the docstrings of the class and its members say
    nvme.Namespace.ioworker what the docstring of a method says
    fixtures                the fixtures of the pytest plugin
    status                  status codes, as the driver names them
    sim                     keys of an embedded SSD
    fault_matches, fault_actions
                            keys and actions of faults
    commands, features, logs
                            what the embedded SSD answers

`python tools/reference.py` writes them anew; with --check it changes nothing and fails when a page
is out of date. It needs the built module on PYTHONPATH.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import reference_tables

ROOT = Path(__file__).resolve().parents[1]
PART = re.compile(r"<!-- reference (?P<name>[\w.]+) -->\n.*?<!-- end of reference -->", re.DOTALL)
OPERATORS = ("__getitem__", "__setitem__")


# --- docstrings to Markdown -----------------------------------------------------------------------


def escaped(text: str) -> str:
    """Prose: nothing in it is markup but what stands in backticks."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"([*<\[])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)


def without_signatures(doc: str) -> str:
    """nanobind writes them above the text."""
    while (match := re.match(r"\w+\(.*\)( -> .*)?\n*", doc)) is not None:
        doc = doc[match.end() :]
    doc = re.sub(r"^Overloaded function\.\s+(\d+\. ``.*``\s+)+", "", doc)
    return inspect.cleandoc(doc)


def argument_list(lines: list[str]) -> list[str]:
    """`name: text` lines, text going on in indented ones, as a list."""
    items: list[str] = []
    indent = len(lines[0]) - len(lines[0].lstrip())
    for line in lines:
        if len(line) - len(line.lstrip()) == indent and ": " in line:
            name, text = line.strip().split(": ", 1)
            names = ", ".join(f"`{part.strip()}`" for part in name.split(","))
            items.append(f"- {names}: {escaped(text)}")
        else:
            items[-1] += " " + escaped(line.strip())
    return items


def markdown(doc: str) -> list[str]:
    """A docstring's paragraphs, arguments and examples."""
    out: list[str] = []
    blocks = re.split(r"\n\s*\n", doc.strip("\n"))
    for block in blocks:
        lines = block.splitlines()
        if lines[0].startswith(">>>"):
            if out and out[-2:] == ["```", ""]:  # one example, in parts
                out[-2:] = ["", *lines, "```", ""]
            else:
                out += ["```pycon", *lines, "```", ""]
            continue
        if ">>>" in block:  # text and example without an empty line between them
            at = next(i for i, line in enumerate(lines) if line.startswith(">>>"))
            out += markdown("\n".join(lines[:at]) + "\n\n" + "\n".join(lines[at:]))
            continue
        if lines[0] == "Args:":
            out += [*argument_list(lines[1:]), ""]
        elif lines[0].startswith("    "):
            out += ["```text", *(line[4:] for line in lines), "```", ""]
        else:
            out += [escaped(line) for line in lines] + [""]
    return out


# --- members --------------------------------------------------------------------------------------


def plain_value(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, int) and node.value >= 0xBEEF:
        return hex(node.value)
    text = ast.unparse(node)
    return "2**64 - 1" if text == "18446744073709551615" else text


def arguments(signature: str) -> str:
    """`(self, a: int, b: int = 0) -> X` without self and types."""
    signature = re.sub(r"<class '(\w+)'>", r"\1", signature)
    function = ast.parse(f"def f{signature}: pass").body[0]
    assert isinstance(function, ast.FunctionDef)
    names = function.args.posonlyargs + function.args.args
    defaults = [None] * (len(names) - len(function.args.defaults)) + function.args.defaults
    shown = []
    for name, default in zip(names, defaults, strict=True):
        if name.arg == "self":
            continue
        shown.append(name.arg if default is None else f"{name.arg}={plain_value(default)}")
    return f"({', '.join(shown)})"


def call_of(value: Any) -> str:
    """How it is called, without types."""
    if hasattr(value, "__nb_signature__"):
        first = str(value.__doc__).splitlines()[0]
        match = re.match(r"\w+(\(.*\))( -> .*)?$", first)
        assert match, first
        return arguments(match[1])
    function = value if inspect.isfunction(value) else value.__init__
    return arguments(str(inspect.signature(function)).split(" -> ")[0])


def members(owner: type) -> Iterator[tuple[str, Any]]:
    """Public ones, in the order of their definition."""
    seen = set()
    for home in reversed(owner.__mro__):
        if home.__module__.split(".")[0] not in ("nvme", "psd"):
            continue
        for name in vars(home):
            value = getattr(owner, name)
            public = not name.startswith("_") or (name in OPERATORS and value.__doc__)
            if public and name not in seen and (callable(value) or isinstance(value, property)):
                seen.add(name)
                yield name, value


def heading(name: str, value: Any) -> str:
    if name == "__getitem__":
        return "### `[...]`"
    if name == "__setitem__":
        return "### `[...] = value`"
    if isinstance(value, property):
        return f"### `{name}`"
    return f"### `{name}{call_of(value)}`"


def class_reference(name: str) -> list[str]:
    module, class_name, *method = re.split(r"\.(?=[A-Z])|(?<=[a-z])\.(?=[a-z]+$)", name)
    owner = getattr(importlib.import_module(module), class_name)
    if method:
        value = getattr(owner, method[0])
        return [f"`{method[0]}{call_of(value)}`", "", *markdown(inspect.cleandoc(value.__doc__))]
    out = markdown(without_signatures(inspect.cleandoc(owner.__doc__)))
    for member, value in members(owner):
        out += [heading(member, value), "", *markdown(without_signatures(value.__doc__))]
    return out


# --- pages ----------------------------------------------------------------------------------------


def part(name: str) -> str:
    maker = getattr(reference_tables, name, None)
    lines = maker() if maker else class_reference(name)
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")
    return f"<!-- reference {name} -->\n\n{text}\n\n<!-- end of reference -->"


def updated(text: str) -> str:
    """A page with its references as the code has them now."""
    return PART.sub(lambda match: part(match["name"]), text)


def main() -> int:
    stale = []
    for page in sorted((ROOT / "docs").glob("*.md")):
        text = page.read_text()
        new = updated(text)
        if new != text:
            stale.append(page.name)
            if "--check" not in sys.argv:
                page.write_text(new)
    if "--check" in sys.argv and stale:
        print(f"out of date: {', '.join(stale)}; run tools/reference.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
