"""Every public name has a docstring with an example, and every example works as shown."""

import doctest
import importlib
import inspect
import re
from pathlib import Path

import pytest

import nvme as d
import psd
from nvme import _core, forensics, plugin, report

# Modules that scripts do not import, with examples all the same.
INNER = ("callbacks", "errors", "hexdump", "histogram", "ioworker", "seeding")
# Special methods that a script writes as operators on registers and bytes. Those of psd's queues
# and entries are told by their classes.
OPERATORS = ("__getitem__", "__setitem__")
PUBLIC_MODULES = {"nvme": d, "psd": psd, "nvme.report": report, "nvme.forensics": forensics}


def _is_ours(owner):
    return owner.__module__.split(".")[0] in ("nvme", "psd")


def _members(owner):
    for name in dir(owner):
        operator = name in OPERATORS and owner.__module__ != "psd"
        if name.startswith("_") and not operator:
            continue
        home = next(base for base in owner.__mro__ if name in vars(base))
        value = getattr(owner, name)
        if _is_ours(home) and (callable(value) or isinstance(value, property)):
            yield name, value


def _public():
    """(name, object) of everything that scripts may use."""
    for module, value in PUBLIC_MODULES.items():
        yield module, value
        for name in value.__all__:
            owner = getattr(value, name)
            if isinstance(owner, type):
                yield f"{module}.{name}", owner
                for member, part in _members(owner):
                    yield f"{module}.{name}.{member}", part
            elif callable(owner):
                yield f"{module}.{name}", owner


def _inner():
    for module in INNER:
        home = importlib.import_module(f"nvme.{module}")
        yield module, home
        for name, value in vars(home).items():
            if getattr(value, "__module__", "") == home.__name__:
                yield f"{module}.{name}", value


PUBLIC = dict(_public())
EXAMPLES = {
    name: value.__doc__
    for name, value in {**PUBLIC, **dict(_inner())}.items()
    if ">>>" in (value.__doc__ or "")
}


def _text(value):
    """The docstring without the signatures that nanobind puts above it."""
    doc = value.__doc__ or ""
    signature = re.compile(r"\w+\(.*\)( -> .*)?\n*")
    while (match := signature.match(doc)) is not None:
        doc = doc[match.end() :]
    doc = re.sub(r"^Overloaded function\.\s+(\d+\. ``.*``\s+)+", "", doc)
    return inspect.cleandoc(doc)


@pytest.fixture(autouse=True)
def _no_report_of_ours():
    """Reports that examples save are not for the summary of this session."""
    before = len(report.saved)
    yield
    del report.saved[before:]


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_docstring(name):
    test = doctest.DocTestParser().get_doctest(EXAMPLES[name], {}, name, None, None)
    test.globs["hexdump"] = importlib.import_module("nvme.hexdump").hexdump
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    output = []
    runner.run(test, out=output.append)
    assert runner.failures == 0, "".join(output)
    assert runner.tries > 0


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_public_name_has_a_docstring_with_an_example(name):
    text = _text(PUBLIC[name])
    assert text, f"{name} has no docstring"
    first = text.splitlines()[0]
    assert first[0].isupper() or first[0].isdigit() or first.startswith("`"), first
    assert ">>>" in text, f"{name} has no example"


@pytest.mark.parametrize(
    "name", sorted(name for name, value in PUBLIC.items() if not inspect.ismodule(value))
)
def test_arguments_are_told(name):
    """Every argument of a public function is named in its docstring, or in that of its class."""
    value = PUBLIC[name]
    if isinstance(value, type | property) or name.rsplit(".")[-1] in OPERATORS:
        return
    if signatures := getattr(value, "__nb_signature__", None):
        names = re.findall(r"[(,] ?(\w+):", signatures[-1][0])
    elif callable(value):
        names = list(inspect.signature(value).parameters)
    else:
        return
    text = _text(value)
    missing = [argument for argument in names if argument != "self" and argument not in text]
    assert missing == []


def test_fixtures_have_docstrings():
    for name in plugin._FIXTURES:
        fixture = getattr(plugin, name)
        assert (fixture.__doc__ or "").strip(), f"the fixture {name} has no docstring"


def test_the_overview_names_every_public_name():
    """help(nvme) begins with it."""
    for name in d.__all__:
        assert re.search(rf"\b{name}\b", d.__doc__), f"help(nvme) does not mention {name}"


def test_the_stub_has_the_docstrings():
    """Editors show the stub's."""
    stub = Path(_core.__file__).with_name("_core.pyi")
    if not stub.exists():
        pytest.skip("a sanitizer's build has no stub")
    text = " ".join(stub.read_text().split())
    for name in ("Buffer", "Controller", "Namespace", "Pcie", "Qpair"):
        for member, value in _members(getattr(_core, name)):
            first = _text(value).splitlines()[0].replace("\\", "\\\\")
            assert " ".join(first.split()) in text, f"{name}.{member}"
