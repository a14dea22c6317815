"""Devices and processes of the system tests: the module as scripts see it, from the outside."""

import os
import subprocess
import sys
import textwrap
import warnings

import pytest

import nvme as d

# For what has to end by itself: far longer than it takes, far shorter than a hang.
LIMIT_S = 60
IO_QUEUES = 16


class System:
    """What several files of this folder need."""

    @staticmethod
    def script(code, *arguments, **options):
        """Run Python code in a process of its own; (exit code, stdout, stderr)."""
        command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
        options = {"capture_output": True, "text": True, "timeout": LIMIT_S} | options
        done = subprocess.run(command, check=False, **options)
        return done.returncode, done.stdout, done.stderr

    @staticmethod
    def start(code, *arguments):
        """Start Python code in a process that is talked to by lines."""
        return subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )

    @staticmethod
    def assert_clean(nvme0, lba=0):
        """No queue is left on the device, and each of all it has works."""
        nvme0n1 = d.Namespace(nvme0)
        qpairs = [d.Qpair(nvme0, 8) for _ in range(IO_QUEUES)]
        assert sorted(qpair.sqid for qpair in qpairs) == list(range(1, IO_QUEUES + 1))
        written, read = d.Buffer(512), d.Buffer(512)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for qpair in qpairs:
                written[8:504] = bytes([qpair.sqid]) * 496
                nvme0n1.write(qpair, written, lba).waitdone()
                nvme0n1.read(qpair, read, lba).waitdone()
                assert read[:] == written[:]
            with pytest.raises(d.QpairCreationError, match="all 16 IO queue pairs"):
                d.Qpair(nvme0, 8)
        for qpair in qpairs:
            qpair.delete()


@pytest.fixture
def system():
    return System


@pytest.fixture
def drive():
    """An embedded SSD without latency, a new one for each test."""
    ssd = d.Ssd(capacity="1GiB", latency=0)
    yield ssd
    ssd.unplug()


@pytest.fixture
def connect():
    """connect(**config): a Controller of a new embedded SSD that is like that."""
    made = []

    def make(**config):
        ssd = d.Ssd(**({"capacity": "1GiB", "latency": 0} | config))
        made.append(ssd)
        nvme0 = d.Controller(ssd)
        made.append(nvme0)
        return nvme0

    yield make
    for one in reversed(made):
        one.unplug() if isinstance(one, d.Ssd) else one.close()


@pytest.fixture
def pcie(drive):
    """What the plugin's nvme0 and all that builds on it open."""
    function = d.Pcie(drive)
    yield function
    function.close()


@pytest.fixture
def warned():
    """warned(): the texts of all warnings since the last call, or since the test began."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")

        def texts():
            found = [str(warning.message) for warning in caught]
            caught.clear()
            return found

        yield texts
