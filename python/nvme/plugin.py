# The pytest plugin, found through its entry point. pytest imports this file in every project of the
# environment, so nothing else of the package is imported, and no device opened, before a test asks
# for one: a project that does not use pynvme sees three more options and no other difference.
"""pytest plugin: options, fixtures, seeds, durations, the run's log, what a failing test shows."""

from __future__ import annotations

import argparse
import logging
import os
import random
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from nvme.runlog import RunLog

if TYPE_CHECKING:
    import nvme

_FIXTURES = frozenset(
    ("pciaddr", "buf", "pcie", "nvme0", "nvme0n1", "qpair", "subsystem", "verify", "aer")
)
_SEED = pytest.StashKey[int]()
_STARTED = pytest.StashKey[float]()
_STARTED_US = pytest.StashKey[float]()  # by the clock of the command logs
_FINISHED = pytest.StashKey[bool]()
_RUN_LOG = pytest.StashKey[RunLog]()
_MISCOMPARES = pytest.StashKey[bool]()
_log = logging.getLogger("nvme.plugin")

AerCallback = Callable[..., object]


def _seed_number(text: str) -> int:
    try:
        seed = int(text, 0)
    except ValueError:
        seed = -1
    if not 0 <= seed < 2**64:
        raise argparse.ArgumentTypeError(
            f"a seed is a number from 0 to 0xffffffffffffffff, not {text!r}"
        )
    return seed


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("nvme", "pynvme: tests of NVMe devices")
    group.addoption(
        "--pciaddr",
        "--dut",
        action="append",
        dest="nvme_duts",
        metavar="ADDRESS",
        help="device under test: sim, sim:key=value,..., 01:00.0; may be repeated, the first one "
        "is what the fixtures open (default: sim, the embedded SSD)",
    )
    options: dict[str, dict[str, Any]] = {
        "--seed": {
            "dest": "nvme_seed",
            "type": _seed_number,
            "metavar": "N",
            "help": "seed of every random choice of each test that uses a device (default: a fresh "
            "one for each test; it is in the log)",
        },
        "--miscompare-dir": {
            "dest": "nvme_miscompare_dir",
            "metavar": "DIR",
            "help": "where the pages and artefacts of miscompares go (default: below pytest's "
            "temporary directory)",
        },
        "--report": {
            "dest": "nvme_report",
            "metavar": "FILE",
            "help": "where scripts that make an HTML report write it",
        },
    }
    for name, description in options.items():
        try:
            group.addoption(name, **description)
        except ValueError as error:  # another plugin has an option of this name: it keeps it
            _log.debug("%s", error)
    # For ./pynvme test: each test on a line of its own, with its duration.
    group.addoption(
        "--pynvme-launcher", action="store_true", dest="nvme_launcher", help=argparse.SUPPRESS
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("nvme_launcher", False) and config.option.verbose == 0:
        config.option.verbose = 1
    duts = config.getoption("nvme_duts", None)
    for dut in duts or []:
        from nvme import _core

        try:
            _core.address_name(dut)
        except ValueError as error:
            raise pytest.UsageError(f"--dut: {error}") from None
    config.stash[_RUN_LOG] = RunLog(config, _shown(duts[0]) if duts else "sim")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    session.config.stash[_FINISHED] = True


def pytest_unconfigure(config: pytest.Config) -> None:
    if _RUN_LOG in config.stash:
        config.stash[_RUN_LOG].close()


def _shown(dut: str) -> str:
    from nvme import _core

    return _core.without_secrets(dut)


class _SecretAddress(str):
    """An address whose secrets do not get into what pytest shows of a test that failed."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(_shown(self))


def _uses_nvme(item: pytest.Item) -> bool:
    if not _FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
        return True
    module = getattr(item, "module", None)
    return (
        any(
            getattr(value, "__name__", "") == "nvme"
            or str(getattr(value, "__module__", "")) == "nvme"
            for value in vars(module).values()
        )
        if module is not None
        else False
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if not _uses_nvme(item):
        return
    import nvme
    from nvme import _core

    logging.getLogger("nvme").setLevel(logging.INFO)
    item.config.stash[_RUN_LOG].start_test()
    item.stash[_STARTED_US] = _core.clock_us()
    _miscompares_go_where_pytest_writes(item.config)
    seed = item.config.getoption("nvme_seed", None)
    if seed is None:
        seed = random.SystemRandom().getrandbits(32)
    nvme.srand(seed)
    item.stash[_SEED] = seed
    item.user_properties.append(("seed", f"0x{seed:08x}"))  # in JUnit XML
    item.stash[_STARTED] = time.monotonic()
    _log.info("%s: seed 0x%08x, replay with --seed 0x%08x", item.nodeid, seed, seed)


def _miscompares_go_where_pytest_writes(config: pytest.Config) -> None:
    if config.stash.get(_MISCOMPARES, False):
        return
    config.stash[_MISCOMPARES] = True
    from nvme import forensics

    named = config.getoption("nvme_miscompare_dir", None)
    factory = getattr(config, "_tmp_path_factory", None)
    if named:
        forensics.set_directory(named)
    elif factory is not None and not os.environ.get("PYNVME_MISCOMPARE_DIR"):
        forensics.set_directory(lambda: factory.getbasetemp() / "miscompare")


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    started = item.stash.get(_STARTED, None)
    if started is not None:
        _log.info("test duration: %.3f sec", time.monotonic() - started)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    try:
        return (yield)
    finally:
        item.config.stash[_RUN_LOG].end_test()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome: Any = yield
    report: pytest.TestReport = outcome.get_result()
    setattr(item, "rep_" + report.when, report)
    if report.failed and _SEED in item.stash:
        seed = item.stash[_SEED]
        report.sections.append(("pynvme", f"seed 0x{seed:08x}; replay with --seed 0x{seed:08x}"))
        if report.when != "teardown":
            from nvme import forensics
            from nvme.lastcommands import last_commands

            found = [r for r in forensics.reports() if r.time_us >= item.stash[_STARTED_US]]
            if found:
                text = "\n".join(line for one in found for line in _miscompare_lines(one))
                report.sections.append(("pynvme: miscompares", text))

            for address, lines in last_commands(item.stash[_STARTED_US]):
                report.sections.append((f"pynvme: last commands of {address}", lines))
    if _SEED in item.stash:
        item.config.stash[_RUN_LOG].report(report)


def _miscompare_lines(one: nvme.forensics.Report) -> list[str]:
    files = [f"    {path}" for path in (one.page_path, one.json_path) if path is not None]
    return [f"{one.device} namespace {one.nsid}: {one.text}", *files]


def pytest_report_teststatus(
    report: pytest.TestReport, config: pytest.Config
) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    if not config.getoption("nvme_launcher", False) or getattr(report, "when", "") != "call":
        return None
    # The summary asks as well, for the word alone.
    if hasattr(report, "wasxfail") or report.skipped or config.stash.get(_FINISHED, False):
        return None
    letter, colour = ("F", "red") if report.failed else (".", "green")
    word = f"{report.outcome.upper()} {report.duration:.2f} s"
    return report.outcome, letter, (word, {colour: True})


def pytest_warning_recorded(warning_message: Any, nodeid: str) -> None:
    if nodeid:
        _log.warning("%s: %s", nodeid, warning_message.message)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    import sys

    run_log = terminalreporter.config.stash[_RUN_LOG]
    if run_log.opened:
        terminalreporter.write_line(f"log of this run: {run_log.path.name}")

    report_module = sys.modules.get("nvme.report")  # loaded by a script that makes a report, only
    if report_module is None:
        return
    for report in report_module.saved:
        terminalreporter.section("pynvme report")
        terminalreporter.write_line(report.text(terminalreporter.hasmarkup))


@pytest.fixture(scope="session")
def pciaddr(pytestconfig: pytest.Config) -> str:
    """Address of the device under test: the first --pciaddr or --dut, or `sim`."""
    duts = pytestconfig.getoption("nvme_duts") or ["sim"]
    shown = _shown(duts[0])
    _log.info("running tests on DUT %s", shown)
    return str(duts[0]) if shown == duts[0] else _SecretAddress(duts[0])


@pytest.fixture(scope="session")
def buf() -> nvme.Buffer:
    """A 4 KiB buffer for the whole session."""
    import nvme

    return nvme.Buffer(4096, "pynvme buffer")


@pytest.fixture
def pcie(pciaddr: str) -> Iterator[nvme.Pcie]:
    """The device under test as a PCIe function; closed at the end of the test."""
    import nvme

    function = nvme.Pcie(pciaddr)
    yield function
    function.close()


@pytest.fixture
def nvme0(pcie: nvme.Pcie) -> nvme.Controller:
    """The controller under test, initialised."""
    import nvme

    return nvme.Controller(pcie)


@pytest.fixture
def nvme0n1(nvme0: nvme.Controller) -> Iterator[nvme.Namespace]:
    """Namespace 1 of the controller under test."""
    import nvme

    namespace = nvme.Namespace(nvme0, 1)
    yield namespace
    namespace.close()


@pytest.fixture
def qpair(nvme0: nvme.Controller) -> Iterator[nvme.Qpair]:
    """An IO queue pair as deep as the controller and pynvme allow."""
    import nvme

    pair = nvme.Qpair(nvme0, min(1024, (nvme0.cap & 0xFFFF) + 1))
    yield pair
    pair.delete()


@pytest.fixture
def subsystem(nvme0: nvme.Controller) -> nvme.Subsystem:
    """The NVM subsystem of the controller under test."""
    import nvme

    return nvme.Subsystem(nvme0)


@pytest.fixture
def verify(nvme0n1: nvme.Namespace) -> Iterator[bool]:
    """Check the data of every read of this test; the value says whether that is possible."""
    yield nvme0n1.verify_enable(True)
    nvme0n1.verify_enable(False)


@pytest.fixture
def aer(nvme0: nvme.Controller) -> Iterator[Callable[[AerCallback | None], None]]:
    """`aer(cb)`: cb is called for every asynchronous event until the end of the test."""
    from nvme import _core

    def register(callback: AerCallback | None) -> None:
        if callback is None:
            _core.controller_async_events(nvme0, None)
        else:
            nvme0.aer(cb=callback)

    yield register
    _core.controller_async_events(nvme0, None)
