"""Every example in the docstrings of the public classes works as shown."""

import doctest
import importlib

import pytest

import nvme as d

MODULES = ("callbacks", "errors", "hexdump", "ioworker", "report", "seeding")


def _docstrings():
    owners = {name: getattr(d, name) for name in d.__all__}
    for module in MODULES:
        owners |= {
            f"{module}.{name}": value
            for name, value in vars(importlib.import_module(f"nvme.{module}")).items()
            if getattr(value, "__module__", "") == f"nvme.{module}"
        }
        owners[module] = importlib.import_module(f"nvme.{module}")
    for name, owner in owners.items():
        if isinstance(owner, type):
            for part in dir(owner):
                yield f"{name}.{part}", getattr(getattr(owner, part), "__doc__", None)
        yield name, owner.__doc__


EXAMPLES = {name: text for name, text in _docstrings() if text and ">>>" in text}


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_docstring(name):
    test = doctest.DocTestParser().get_doctest(EXAMPLES[name], {}, name, None, None)
    test.globs["hexdump"] = importlib.import_module("nvme.hexdump").hexdump
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    output = []
    runner.run(test, out=output.append)
    assert runner.failures == 0, "".join(output)
    assert runner.tries > 0


def test_the_classes_have_examples():
    classes = {"Buffer", "Controller", "Namespace", "Pcie", "Qpair", "Ssd", "Subsystem"}
    assert classes <= set(EXAMPLES)
