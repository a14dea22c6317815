# The log file of a test run, for the plugin. A file appears when the first test that uses a device
# starts, so that other projects of the environment never see one.
"""test_<dut>.log: everything that is logged while tests run, and what came of each."""

from __future__ import annotations

import logging
import re
import warnings
from pathlib import Path

import pytest

_FORMAT = "[%(asctime)s.%(msecs)03d] %(levelname)s %(funcName)s(%(lineno)d): %(message)s"
_log = logging.getLogger("nvme.plugin")


def file_name(dut: str, worker: str = "") -> str:
    """`test_01_00.0.log`: the device's name in characters that every file system takes.

    >>> from nvme.runlog import file_name
    >>> file_name("01:00.0")
    'test_01_00.0.log'
    >>> file_name("sim:capacity=1GB,lba=4096", "gw1")
    'test_sim_capacity_1GB_lba_4096_gw1.log'
    """
    name = re.sub(r"[^A-Za-z0-9.-]+", "_", f"{dut}_{worker}" if worker else dut).strip("_.")
    return f"test_{name[:100] or 'dut'}.log"


class RunLog:
    """The plugin's hooks that write the file."""

    def __init__(self, config: pytest.Config, dut: str) -> None:
        worker = getattr(config, "workerinput", {}).get("workerid", "")  # of pytest-xdist
        self.path = Path(config.invocation_params.dir) / file_name(dut, worker)
        self._config = config
        self._handler: logging.Handler | None = None
        self._failed = False
        self._root_level = logging.NOTSET

    @property
    def opened(self) -> bool:
        return self._handler is not None

    def start_test(self) -> None:
        """From here to end_test() all loggers go to the file, whatever their level."""
        if self._handler is None and not self._failed:
            self._open()
        if self._handler is None:
            return
        root = logging.getLogger()
        self._root_level = root.level
        root.addHandler(self._handler)
        root.setLevel(logging.DEBUG)
        logging.getLogger("nvme").setLevel(logging.DEBUG)

    def end_test(self) -> None:
        if self._handler is None or self._handler not in logging.getLogger().handlers:
            return
        logging.getLogger().removeHandler(self._handler)
        logging.getLogger().setLevel(self._root_level)

    def _open(self) -> None:
        try:
            self._handler = logging.FileHandler(self.path, mode="w", encoding="utf-8")
        except OSError as error:
            self._failed = True
            warnings.warn(f"no log file of this run: {error}", stacklevel=1)
            return
        self._handler.setFormatter(logging.Formatter(_FORMAT, "%Y-%m-%d %H:%M:%S"))
        # What pytest shows of a failed test stays readable: the debug lines are in the file.
        capturing = self._config.pluginmanager.get_plugin("logging-plugin")
        if self._config.getoption("log_level", None) is None:
            for name in ("report_handler", "log_cli_handler"):
                handler = getattr(capturing, name, None)
                if isinstance(handler, logging.Handler) and handler.level == logging.NOTSET:
                    handler.setLevel(logging.INFO)

    def write(self, text: str, level: int = logging.INFO) -> None:
        """A line of the plugin's own, outside of a test too."""
        if self._handler is not None:
            self._handler.handle(_log.makeRecord(_log.name, level, "", 0, text, (), None, "pytest"))

    def report(self, report: pytest.TestReport) -> None:
        """What came of a phase of a test; a failure with all that pytest shows of it."""
        if report.when == "call" or report.outcome != "passed":
            phase = "" if report.when == "call" else f" in {report.when}"
            seconds = f"{report.duration:.3f} s"
            self.write(f"{report.outcome.upper()}{phase} {report.nodeid} ({seconds})")
        if report.failed:
            sections = [f"--- {title} ---\n{text}" for title, text in report.sections
                        if title.startswith("pynvme")]  # fmt: skip
            self.write("\n".join([report.longreprtext, *sections]), logging.ERROR)

    def close(self) -> None:
        if self._handler is not None:
            self._handler.close()
