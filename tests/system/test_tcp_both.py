"""The NVMe/TCP host on the NVMe/TCP target: what scripts do, and what if either breaks."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tcp_host import held_port
from until import until

import nvme as d
from nvme.target import Target

SCRIPTS = Path(__file__).parents[2] / "scripts"
LIMIT_S = 60
QUICK = "capacity=1GiB,latency=0"
DIGESTS = ["", ";hdgst=1", ";ddgst=1", ";hdgst=1;ddgst=1"]
# A command that the target does not answer is over after this. What is answered has the time that a
# machine may need that stands still for a while.
TIMEOUT_MS = 200
PATIENT_MS = LIMIT_S * 1000


class Server:
    """`pynvme serve --tcp` in a process of its own."""

    def __init__(self, options: str = QUICK, port: int = 0) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "nvme.cli", "serve", "--tcp", f"127.0.0.1:{port}",
             "--dut", f"sim:{options}"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "NVMe/TCP at " in line, line + self.process.stdout.read()
        self.address = line.rpartition(" ")[2].strip()
        self.port = int(self.address.rpartition(":")[2])

    def end(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.communicate(timeout=LIMIT_S)
        return self.process.returncode


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """serve(options): a server; what still runs after the test is ended."""
    servers: list[Server] = []

    def start(options: str = QUICK, port: int = 0) -> Server:
        servers.append(Server(options, port))
        return servers[-1]

    yield start
    for server in servers:
        server.end(signal.SIGKILL)


@pytest.fixture
def target() -> Iterator[Target]:
    with Target(f"sim:{QUICK}") as served:
        yield served


@contextlib.contextmanager
def opened(served: Target | Server, options: str = "") -> Iterator[d.Controller]:
    nvme0 = d.Controller(served.address + options)
    try:
        yield nvme0
    finally:
        nvme0.close()


def marked(number: int) -> d.Buffer:
    """4 KiB that begin, behind what is stamped on each LBA, with the number."""
    buf = d.Buffer(4096)
    buf[8:504] = bytes([number]) * 496
    return buf


def round_trip(nvme0: d.Controller, lba: int = 0) -> None:
    """Write and read back through a queue of its own."""
    nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 16)
    for lbas in (1, 8, 31):
        size = lbas * nvme0n1.sector_size
        out, back = d.Buffer(size, ptype=0xBEEF, pvalue=100), d.Buffer(size)
        nvme0n1.write(qpair, out, lba, lbas).waitdone()
        nvme0n1.read(qpair, back, lba, lbas).waitdone()
        assert back[:] == out[:]
    qpair.delete()
    nvme0n1.close()


# --- what scripts do ----------------------------------------------------------------------------


def test_the_demo_session_unchanged(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve("capacity=8GB")
    done = subprocess.run(
        [sys.executable, "-m", "nvme.cli", "test", str(SCRIPTS / "demo_test.py"),
         "-p", "no:cacheprovider", f"--dut={server.address}",
         "--report", str(tmp_path / "report.html")],
        capture_output=True, text=True, timeout=4 * LIMIT_S, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert " skipped" not in done.stdout
    assert server.end() == 0


def test_identify(target: Target) -> None:
    with opened(target) as nvme0:
        assert nvme0.id_data(63, 24, str).strip() == "pynvme embedded SSD"
        assert nvme0.id_data(1023, 768, str).strip("\0 ") == target.nqn
        assert d.Namespace(nvme0).id_data(7, 0) == 1 << 21
        assert target.controllers == 1


@pytest.mark.parametrize("digests", DIGESTS)
@pytest.mark.parametrize("lba", [512, 4096])
@pytest.mark.parametrize(
    "shape",
    [{}, {"in_capsule": 0, "max_h2c_data": 4096, "max_r2t_data": 6000, "max_c2h_data": 1536,
          "cpda": 31}],
    ids=["large", "pieces"],
)  # fmt: skip
def test_io_is_verified(digests: str, lba: int, shape: dict[str, Any]) -> None:
    with Target(f"sim:{QUICK},lba={lba}", **shape) as target, opened(target, digests) as nvme0:
        nvme0n1 = d.Namespace(nvme0)
        assert nvme0n1.sector_size == lba
        assert nvme0n1.verify_enable()
        round_trip(nvme0)
        result = (
            nvme0n1.ioworker(
                io_size=[1, 4, 16], read_percentage=50, qdepth=16, io_count=1000, region_end=4096
            )
            .start()
            .close()
        )
        assert (result.error, result.io_count_read + result.io_count_nonread) == (0, 1000)


def test_ioworkers_on_connections_of_their_own(serve: Callable[..., Server]) -> None:
    with opened(serve()) as nvme0:
        nvme0n1 = d.Namespace(nvme0)
        assert nvme0n1.verify_enable()
        workers = [
            nvme0n1.ioworker(
                io_size=8,
                read_percentage=50,
                qdepth=16,
                region_start=part * 4096,
                region_end=(part + 1) * 4096,
                io_count=1000,
            ).start()
            for part in range(16)
        ]
        assert [worker.close().error for worker in workers] == [0] * 16
        round_trip(nvme0)


def test_a_reset_ends_what_is_under_way_and_starts_anew(target: Target) -> None:
    with opened(target) as nvme0:
        nvme0n1 = d.Namespace(nvme0)
        round_trip(nvme0)
        worker = nvme0n1.ioworker(io_size=8, time=LIMIT_S, qdepth=16, region_end=4096).start()
        until(lambda: worker.progress().io_count_read > 0)
        nvme0.reset()
        assert worker.close().error != 0
        round_trip(nvme0)
        for _ in range(5):
            nvme0.reset()
        round_trip(nvme0)
    until(lambda: target.connections == 0)
    assert target.controllers == 0


def test_events(target: Target) -> None:
    """The composite temperature crosses a threshold."""
    with opened(target) as nvme0, warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        heard: list[int] = []
        nvme0.aer(lambda cdw0, status1: heard.append(cdw0))
        nvme0.setfeatures(4, cdw11=200).waitdone()

        def told() -> bool:
            nvme0.getfeatures(7).waitdone()
            return bool(heard)

        until(told)
        assert heard[0] & 7 == 1  # SMART / health


def test_a_command_that_is_not_answered_times_out(target: Target) -> None:
    with opened(target, ";kato=0") as nvme0:  # nothing of its own on the admin queue
        nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 16), d.Buffer(4096)
        target.fault("drop", "CapsuleResp", queue=qpair.sqid)
        status: list[int] = []
        nvme0.timeout = TIMEOUT_MS
        with pytest.warns(UserWarning, match=f"drive timeout: qpair: {qpair.sqid}, cid: 0"):
            nvme0n1.flush(qpair, cb=lambda cdw0, status1: status.append(status1)).waitdone()
        assert status == [0xFFFF]
        until(lambda: target.faults == 0)
        nvme0.timeout = PATIENT_MS
        nvme0n1.read(qpair, buf, 0, 8).waitdone()
        target.fault("drop", "CapsuleResp", queue=0)
        nvme0.timeout = TIMEOUT_MS
        with pytest.warns(UserWarning, match="drive timeout: qpair: 0, cid: "):
            nvme0.getfeatures(7).waitdone()
        until(lambda: target.faults == 0)
        nvme0.timeout = PATIENT_MS
        nvme0.reset()
        round_trip(nvme0)


def test_pcie_and_tcp_in_one_script(
    target: Target, serve: Callable[..., Server], request: pytest.FixtureRequest
) -> None:
    server = serve()
    for address in ("71:00.0", "72:00.0"):
        request.addfinalizer(d.Ssd(address, capacity="1GiB", latency=0).unplug)
    tcp = d.Tcp("127.0.0.1", server.port)
    controllers = [d.Controller(it) for it in (b"71:00.0", b"72:00.0", target.address, tcp)]
    for number, nvme0 in enumerate(controllers):
        nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 16)
        nvme0n1.write(qpair, marked(number), 8, 8).waitdone()
        qpair.delete()
    workers = [
        d.Namespace(nvme0)
        .ioworker(io_size=8, io_count=500, qdepth=8, region_start=64, region_end=4096)
        .start()
        for nvme0 in controllers
    ]
    assert [worker.close().error for worker in workers] == [0] * 4
    for number, nvme0 in enumerate(controllers):
        nvme0n1, qpair, back = d.Namespace(nvme0), d.Qpair(nvme0, 16), d.Buffer(4096)
        nvme0n1.read(qpair, back, 8, 8).waitdone()
        assert set(back[8:504]) == {number}
        qpair.delete()
    for nvme0 in controllers:
        nvme0.close()


# --- what breaks --------------------------------------------------------------------------------

TIMED_OUT, TRANSPORT_ERROR, OK = 0xFFFF, 0x22 << 1 | 1, 1
CLOSED = "IO queue 1: the connection is closed: "
# What happens to (action, PDU) -> the statuses of two commands, or the error that ends the queue.
FAULTS: dict[tuple[str, str], list[int] | str] = {
    ("corrupt header", "CapsuleResp"): "the header digest of CapsuleResp .* is wrong",
    ("corrupt header", "C2HData"): "the header digest of C2HData .* is wrong",
    ("corrupt header", "R2T"): "the header digest of R2T .* is wrong",
    ("corrupt data", "C2HData"): [TRANSPORT_ERROR, OK],
    ("truncate", "CapsuleResp"): "the target ended it",
    ("truncate", "C2HData"): "the target ended it",
    ("truncate", "R2T"): "the target ended it",
    ("oversize", "CapsuleResp"): "the header digest of CapsuleResp .* is wrong",
    ("oversize", "C2HData"): "the header digest of C2HData .* is wrong",
    ("oversize", "R2T"): "the header digest of R2T .* is wrong",
    ("duplicate", "CapsuleResp"): "CapsuleResp is for CID 0, which is not outstanding",
    ("duplicate", "C2HData"): "C2HData has DATAO 0 for CID 0, of which 4096 bytes came",
    ("duplicate", "R2T"): "R2T asks for CID 0 from byte 0 on",
    ("drop", "CapsuleResp"): [TIMED_OUT, OK],
    ("drop", "C2HData"): [TRANSPORT_ERROR, OK],
    ("drop", "R2T"): [TIMED_OUT, OK],
    ("swap", "C2HData"): "C2HData is for CID 0, which waits for no data",
    ("delay", "CapsuleResp"): [OK, OK],
    ("delay", "C2HData"): [OK, OK],
    ("delay", "R2T"): [OK, OK],
    ("half-open", "CapsuleResp"): [TIMED_OUT, TIMED_OUT],
    ("half-open", "C2HData"): [TIMED_OUT, TIMED_OUT],
    ("half-open", "R2T"): [TIMED_OUT, TIMED_OUT],
    ("reset", "CapsuleResp"): ".*Connection reset by peer",
    ("reset", "C2HData"): ".*Connection reset by peer",
    ("reset", "R2T"): ".*Connection reset by peer",
    ("stop reading", "CapsuleResp"): [OK, TIMED_OUT],
    ("stop reading", "C2HData"): [OK, TIMED_OUT],
    ("stop reading", "R2T"): [TIMED_OUT, TIMED_OUT],
}
# Without digests what is wrong is found by what it says.
PLAIN_FAULTS: dict[tuple[str, str], list[int] | str] = {
    ("corrupt header", "C2HData"): "C2HData is for CID .*, which waits for no data",
    ("corrupt header", "R2T"): "R2T is for CID .*, which has no data to send",
    ("oversize", "CapsuleResp"): r"CapsuleResp .* has PLEN \d+ instead of 24",
    ("oversize", "C2HData"): r"C2HData has DATAL 4096, but PLEN \d+",
    ("oversize", "R2T"): r"R2T .* has PLEN \d+ instead of 24",
}


@pytest.mark.parametrize(
    ("digests", "fault", "outcome"),
    [
        *((";hdgst=1;ddgst=1", fault, outcome) for fault, outcome in FAULTS.items()),
        *(("", fault, outcome) for fault, outcome in PLAIN_FAULTS.items()),
    ],
)
def test_wire_faults(digests: str, fault: tuple[str, str], outcome: list[int] | str) -> None:
    """One connection meets the fault; another host, and after a reset the same one, do not."""
    action, pdu = fault
    with (
        Target(f"sim:{QUICK}", in_capsule=0) as target,
        opened(target, digests) as nvme0,
        opened(target, f"{digests};kato=4000") as other,
    ):
        assert target.controllers == 2  # the same text would have been the same controller
        nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 16), d.Buffer(4096)
        other_queue = d.Qpair(other, 16)
        command = nvme0n1.write if pdu == "R2T" else nvme0n1.read
        status: list[int] = []

        def twice() -> None:
            for number, lba in enumerate((0, 8)):
                nvme0.timeout = PATIENT_MS
                command(qpair, buf, lba, 8, cb=lambda _, status1: status.append(status1))
                if not isinstance(outcome, str) and outcome[number] == TIMED_OUT:
                    until(lambda: target.faults == 0)  # so nothing more is to come
                    nvme0.timeout = TIMEOUT_MS
                qpair.waitdone()

        target.fault(action, pdu, queue=qpair.sqid, delay=0.01)
        if isinstance(outcome, str):
            with pytest.raises(SystemError, match=CLOSED + outcome):
                twice()
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                twice()
            assert status == outcome
        assert target.faults == 0
        d.Namespace(other).read(other_queue, buf, 0, 8).waitdone()
        nvme0.timeout = PATIENT_MS
        nvme0.reset()
        round_trip(nvme0)
        d.Namespace(other).read(other_queue, buf, 0, 8).waitdone()


def test_a_target_that_is_killed_keeps_what_was_flushed(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    options = f"{QUICK},file={tmp_path / 'ssd.img'}"
    with held_port() as port, opened(server := serve(options, port)) as nvme0:
        nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 64)
        for number in range(32):
            nvme0n1.write(qpair, marked(number), number * 8, 8)
        qpair.waitdone(32)
        nvme0n1.flush(qpair).waitdone()
        load = nvme0n1.ioworker(
            io_size=8, read_percentage=0, qdepth=32, region_start=4096, region_end=65536,
            time=LIMIT_S,
        ).start()  # fmt: skip
        nvme0n1.read(qpair, d.Buffer(4096), 0, 8).waitdone()
        server.end(signal.SIGKILL)
        assert load.close().error == -7
        with pytest.raises(SystemError, match="the connection is closed"):
            nvme0.getfeatures(7).waitdone()

        serve(options, port)
        nvme0.reset()
        qpair, back = d.Qpair(nvme0, 64), d.Buffer(4096)
        for number in range(32):
            nvme0n1.read(qpair, back, number * 8, 8).waitdone()
            assert set(back[8:504]) == {number}


HOST = """
    import sys, time
    import nvme as d
    nvme0 = d.Controller(sys.argv[1])
    nvme0n1 = d.Namespace(nvme0)
    load = {"io_size": [8, 256], "read_percentage": 50, "qdepth": 32, "time": 60}
    workers = [nvme0n1.ioworker(**load).start() for _ in range(4)]
    print("started", flush=True)
    time.sleep(60)
"""


def test_a_host_that_is_killed_leaves_nothing(target: Target, system: Any) -> None:
    with opened(target) as nvme0:
        host = system.start(HOST, target.address)
        assert host.stdout.readline() == "started\n"
        until(lambda: target.connections == 6)
        host.kill()
        host.communicate(timeout=LIMIT_S)
        until(lambda: target.connections == 1 and target.controllers == 1)
        round_trip(nvme0)


def test_nobody_listens_any_more() -> None:
    with held_port() as port:
        with Target(f"sim:{QUICK}", f"127.0.0.1:{port}") as target:
            # As long as it is asked in vain.
            nvme0 = d.Controller(target.address + ";answer_ms=3000")
        with pytest.raises(d.NvmeEnumerateError, match="Connection refused"):
            nvme0.reset()
        with Target(f"sim:{QUICK}", f"127.0.0.1:{port}"):
            nvme0.reset()
            round_trip(nvme0)
            nvme0.close()
