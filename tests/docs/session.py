"""Runs the interactive sessions of one page: a JSON list of [line, section, text] on stdin.

A process of its own for each page, as a reader would begin: what a page does to `sim` does not
reach the others. Warnings are printed as the interpreter shows them.
"""

import doctest
import json
import sys
import warnings

from nvme import _core


def show(message, category, *_):
    print(f"<stdin>:1: {category.__name__}: {message}")


def main():
    warnings.simplefilter("always")
    warnings.showwarning = show
    parser = doctest.DocTestParser()
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    section, names = None, {}
    for line, block_section, text in json.load(sys.stdin):
        if block_section != section:  # a new interpreter, as it were
            section, names = block_section, {"__name__": "__main__"}
            _core.close_all()
        test = parser.get_doctest(text, names, f"line {line}", None, line - 1)
        runner.run(test, clear_globs=False)
        names = test.globs
    print(f"{runner.tries} examples")
    return 1 if runner.failures else 0


if __name__ == "__main__":
    sys.exit(main())
