"""An embedded SSD in another process, over vfio-user: as a DUT, and against bytes by hand."""

import contextlib
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest

import nvme as d

SCRIPTS = Path(__file__).parents[2] / "scripts"
LIMIT_S = 60
QUICK = "capacity=1GiB,latency=0"
VERSION, DMA_MAP, GET_INFO, REGION_INFO, SET_IRQS, REGION_READ = 1, 2, 4, 5, 8, 9
REGION_WRITE, DMA_READ, DMA_WRITE, RESET = 10, 11, 12, 13
EINVAL, EBUSY = 22, 16


class Server:
    """`pynvme serve` in a process of its own."""

    def __init__(self, path, options=QUICK):
        self.path = path
        self.address = f"unix:{path}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "nvme.cli", "serve", "--socket", str(path),
             "--dut", f"sim:{options}"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        self.first_line = self.process.stdout.readline()

    def end(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        output, _ = self.process.communicate(timeout=LIMIT_S)
        return self.process.returncode, output


@pytest.fixture
def serve(tmp_path):
    """serve(options): a server of an embedded SSD; what still runs after the test is ended."""
    servers = []

    def start(options=QUICK, name="ssd.sock"):
        servers.append(Server(tmp_path / name, options))
        return servers[-1]

    yield start
    for server in servers:
        server.end(signal.SIGKILL)


@pytest.fixture
def served(serve):
    return serve()


@contextlib.contextmanager
def opened(server):
    nvme0 = d.Controller(server.address)
    try:
        yield nvme0
    finally:
        nvme0.close()


def pattern(number, lbas=8):
    buf = d.Buffer(512 * lbas)
    for lba in range(lbas):
        buf[512 * lba + 8 : 512 * lba + 504] = bytes([number & 0xFF]) * 496
    return buf


# --- as a device under test ---------------------------------------------------------------------


def run_scripts(server, folder, *scripts):
    done = subprocess.run(
        [sys.executable, "-m", "nvme.cli", "test", *(str(SCRIPTS / name) for name in scripts),
         "-p", "no:cacheprovider", f"--dut={server.address}",
         "--report", str(folder / "report.html")],
        capture_output=True, text=True, timeout=4 * LIMIT_S, cwd=folder, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_demo_session_unchanged(serve, tmp_path):
    server = serve("capacity=8GB")
    assert " skipped" not in run_scripts(server, tmp_path, "demo_test.py")


def test_psd_and_the_example_scripts_unchanged(serve, tmp_path):
    server = serve("capacity=8GB")
    names = ("psd_examples_test.py", "hello_world_test.py", "admin_test.py", "verify_test.py")
    run_scripts(server, tmp_path, *names)


def test_io_is_verified(served):
    with opened(served) as nvme0:
        nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 64)
        assert nvme0n1.verify_enable()
        read = d.Buffer(4096)
        for number in range(63):
            nvme0n1.write(qpair, pattern(number), number * 8, 8)
        qpair.waitdone(63)
        for number in range(63):
            nvme0n1.read(qpair, read, number * 8, 8).waitdone()
            assert read[8] == number
        # Big transfers go by PRP lists, which the device reads in our memory as well.
        big = d.Buffer(128 * 1024)
        nvme0n1.write(qpair, big, 4096, 256).waitdone()
        nvme0n1.read(qpair, d.Buffer(128 * 1024), 4096, 256).waitdone()


def test_ioworkers(served):
    with opened(served) as nvme0:
        nvme0n1 = d.Namespace(nvme0)
        assert nvme0n1.verify_enable()
        workers = [
            nvme0n1.ioworker(
                io_size=[1, 8, 64],
                read_percentage=50,
                region_start=part * 65536,
                region_end=(part + 1) * 65536,
                io_count=2000,
                qdepth=32,
            ).start()
            for part in range(4)
        ]
        for worker in workers:
            result = worker.close()
            assert result.error == 0
            assert result.io_count_read + result.io_count_nonread == 2000


RESETS = {
    "hot reset": lambda nvme0: d.Pcie(nvme0).reset(),
    "flr": lambda nvme0: d.Pcie(nvme0).flr(),
    "nssr": lambda nvme0: d.Subsystem(nvme0).reset(),
    "cc_en": lambda nvme0: nvme0.reset(),
    "shutdown": lambda nvme0: d.Subsystem(nvme0).shutdown_notify(),
    "power": lambda nvme0: d.Subsystem(nvme0).power_cycle(0),
}


def test_resets_keep_the_data(served):
    with opened(served) as nvme0:
        for number, reset in enumerate(RESETS.values(), 1):
            nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 8)
            nvme0n1.write(qpair, pattern(number), 0, 8).waitdone()
            qpair.delete()
            reset(nvme0)
            nvme0.reset()
            read, qpair = d.Buffer(4096), d.Qpair(nvme0, 8)
            nvme0n1.read(qpair, read, 0, 8).waitdone()
            assert read[8] == number
            qpair.msix_clear()
            assert not qpair.msix_isset()
            nvme0n1.flush(qpair).waitdone()
            assert qpair.msix_isset()
            qpair.delete()
            nvme0n1.close()


def test_without_power_there_is_nothing(served):
    """What a power cycle means here: the cable is pulled and put in again."""
    with opened(served) as nvme0:
        subsystem = d.Subsystem(nvme0)
        nvme0.setfeatures(4, cdw11=350).waitdone()
        subsystem.poweroff()
        with pytest.raises(SystemError):
            nvme0[0]
        subsystem.poweron()
        assert nvme0[0x14] == 0  # CC, as after power-on
        nvme0.reset()
        assert nvme0.getfeatures(4).waitdone() != 350


@pytest.mark.parametrize("kind", ["msix", "msi", "pin"])
def test_interrupts(serve, kind):
    server = serve(f"{QUICK},interrupts={kind}")
    with opened(server) as nvme0:
        nvme0n1 = d.Namespace(nvme0)
        qpair = d.Qpair(nvme0, 16, iv=0 if kind == "pin" else 1)
        qpair.msix_clear()
        assert not qpair.msix_isset()
        for _ in range(3):
            nvme0n1.flush(qpair).waitdone()
            if kind == "pin":
                nvme0[0x1C]  # when that is answered, the level has gone up and down
            else:
                assert qpair.msix_isset()
            qpair.msix_clear()
            assert not qpair.msix_isset()
        qpair.msix_mask()
        nvme0n1.flush(qpair)
        nvme0[0x1C]  # when that is answered, the flush is complete
        assert not qpair.msix_isset()
        qpair.msix_unmask()
        assert qpair.msix_isset()
        qpair.waitdone()


def test_illegal_doorbells_are_events(served):
    """A doorbell written through the register, and one stored in the shared page."""
    with opened(served) as nvme0:
        events = []
        nvme0.aer(cb=lambda cdw0, _status: events.append(cdw0))
        qpair = d.Qpair(nvme0, 8)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            d.Pcie(nvme0).mem_dword_write(0x1000 + 8 * qpair.sqid, 100)
            deadline = time.monotonic() + LIMIT_S
            while not events and time.monotonic() < deadline:
                nvme0.getfeatures(7).waitdone()
        assert events
        assert events[0] & 0xFFFF == 0x0100  # error: invalid doorbell value


# --- clients come and go -------------------------------------------------------------------------


def test_a_second_client_is_refused_and_told_why(served, system):
    code = "import sys, nvme as d; d.Controller(sys.argv[1])"
    with opened(served) as nvme0:
        status, _, errors = system.script(code, served.address)
        assert status != 0
        assert "it serves another client" in errors
        assert nvme0[8] == 0x10400
    with opened(served) as nvme0:
        assert nvme0[8] == 0x10400


def test_no_server(tmp_path):
    with pytest.raises(d.NvmeEnumerateError, match=r"there is no such socket.*serve --socket"):
        d.Controller(f"unix:{tmp_path}/none.sock")
    path = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(d.NvmeEnumerateError, match="nobody listens there"):
        d.Controller(str(path))


def test_a_folder_with_the_socket_in_it(serve, tmp_path):
    (tmp_path / "controller").mkdir()
    serve(name="controller/cntrl")
    nvme0 = d.Controller(f"unix:{tmp_path}/controller")
    assert nvme0[8] == 0x10400
    nvme0.close()


def test_the_server_ends_cleanly(serve, tmp_path):
    server = serve(f"file={tmp_path}/media,capacity=64MiB,latency=0")
    assert server.first_line.startswith("serving sim:file=")
    assert f"--dut unix:{server.path}" in server.first_line
    with opened(server) as nvme0:
        nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 8)
        nvme0n1.write(qpair, pattern(7), 0, 8).waitdone()  # and no flush
        code, output = server.end(signal.SIGTERM)
        assert code == 0
        assert "stopped; all data are written" in output
        assert not server.path.exists()
        with pytest.raises(SystemError, match="gone"):
            nvme0[0]
    server = serve(f"file={tmp_path}/media,capacity=64MiB,latency=0")
    with opened(server) as nvme0:
        read = d.Buffer(4096)
        d.Namespace(nvme0).read(d.Qpair(nvme0, 8), read, 0, 8).waitdone()
        assert read[8] == 7


def test_a_server_that_is_killed_under_load(serve, tmp_path, warned):
    options = f"file={tmp_path}/media,capacity=64MiB,latency=0"
    server = serve(options)
    nvme0 = d.Controller(server.address)
    nvme0.timeout = 600_000  # nobody waits for that
    nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 8)
    for number in range(32):
        nvme0n1.write(qpair, pattern(number), number * 8, 8).waitdone()
    nvme0n1.flush(qpair).waitdone()
    workers = [
        nvme0n1.ioworker(io_size=8, region_start=1024, read_percentage=50, time=600).start()
        for _ in range(2)
    ]
    workers.append(nvme0n1.ioworker(io_size=8, region_start=1024, iops=1, time=600).start())
    server.process.send_signal(signal.SIGSTOP)
    os.waitpid(server.process.pid, os.WUNTRACED)  # it has stopped
    nvme0n1.read(qpair, d.Buffer(4096), 0, 8)
    server.end(signal.SIGKILL)
    start = time.monotonic()
    gone = f"{server.address} is gone: .* server is gone; start its server again"
    with pytest.raises(SystemError, match=gone):
        qpair.waitdone()
    for worker in workers:
        result = worker.close()
        assert result.error == -3
        assert re.search(gone, result.detail)
    with pytest.raises(SystemError, match=gone):
        nvme0n1.flush(qpair).waitdone()
    assert time.monotonic() - start < LIMIT_S
    with pytest.raises(SystemError, match=gone):
        nvme0[0x1C]
    assert warned()

    server = serve(options)
    with opened(server) as again:  # beside the objects of the dead one
        nvme0n1, qpair, read = d.Namespace(again), d.Qpair(again, 8), d.Buffer(4096)
        for number in range(32):
            nvme0n1.read(qpair, read, number * 8, 8).waitdone()
            assert set(read[8:504]) == {number}
    nvme0.close()


LOADER = """
    import sys
    import nvme as d

    nvme0 = d.Controller(sys.argv[1])
    nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 8), d.Buffer(4096)
    for number in range(32):
        buf[8:504] = bytes([number]) * 496
        nvme0n1.write(qpair, buf, number * 8, 8).waitdone()
    workers = [nvme0n1.ioworker(io_size=8, region_start=1024, time=60).start() for _ in range(2)]
    print("loading", flush=True)
    sys.stdin.readline()
"""


def test_a_client_that_is_killed_under_load(served, system):
    for _ in range(2):
        loader = system.start(LOADER, served.address)
        assert loader.stdout.readline() == "loading\n", loader.stderr.read()
        time.sleep(0.05)
        loader.kill()
        loader.communicate()
        with opened(served) as nvme0:
            nvme0n1, qpair, read = d.Namespace(nvme0), d.Qpair(nvme0, 8), d.Buffer(4096)
            for number in range(32):
                nvme0n1.read(qpair, read, number * 8, 8).waitdone()
                assert set(read[8:504]) == {number}
            qpair.delete()
            system.assert_clean(nvme0, 100_000)


def test_an_idle_server_hardly_runs(served):
    def busy_s():
        fields = Path(f"/proc/{served.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    with opened(served):
        time.sleep(2.5)  # it naps longest after two seconds
        shares = []
        while not shares or (shares[-1] >= 0.1 and len(shares) < 20):
            # One that spins is busy each time; a machine that is busy, is not always.
            before = busy_s()
            time.sleep(1)
            shares.append(busy_s() - before)
        assert shares[-1] < 0.1


# --- bytes by hand -------------------------------------------------------------------------------


class Raw:
    """A client that knows the published protocol and nothing of pynvme."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(LIMIT_S)
        self.socket.connect(str(path))
        self.number = 0
        self.memory = bytearray(0x4000)

    def close(self):
        self.socket.close()

    def receive(self):
        data, fds, _, _ = socket.recv_fds(self.socket, 16, 16, socket.MSG_WAITALL)
        if len(data) < 16:
            return None
        header = struct.unpack("<HHIII", data)
        rest = b""
        while len(rest) < header[2] - 16:
            rest += self.socket.recv(header[2] - 16 - len(rest))
        return header, rest, fds

    def send(self, command, payload=b"", fds=(), flags=0, size=None):
        self.number += 1
        size = 16 + len(payload) if size is None else size
        header = struct.pack("<HHIII", self.number, command, size, flags, 0)
        socket.send_fds(self.socket, [header + payload], list(fds))

    def ask(self, command, payload=b"", fds=()):
        """(errno, payload, descriptors); serves DMA_READ and DMA_WRITE meanwhile."""
        self.send(command, payload, fds)
        while True:
            header, rest, got = self.receive()
            if header[3] & 0xF == 1:
                assert header[:2] == (self.number, command)
                return header[4], rest, got
            self.serve(header, rest)

    def serve(self, header, rest):
        address, count = struct.unpack("<QQ", rest[:16])
        data = b""
        if header[1] == DMA_READ:
            data = bytes(self.memory[address : address + count])
        else:
            assert header[1] == DMA_WRITE
            self.memory[address : address + count] = rest[16:]
        answer = rest[:16] + data
        self.socket.sendall(
            struct.pack("<HHIII", header[0], header[1], 16 + len(answer), 1, 0) + answer
        )

    def version(self, json=b'{"capabilities":{"max_msg_fds":8}}\0'):
        return self.ask(VERSION, struct.pack("<HH", 0, 1) + json)

    def read(self, region, offset, size):
        error, rest, _ = self.ask(REGION_READ, struct.pack("<QII", offset, region, size))
        assert error == 0
        assert rest[:16] == struct.pack("<QII", offset, region, size)
        return int.from_bytes(rest[16:], "little")

    def write(self, region, offset, value, size):
        payload = struct.pack("<QII", offset, region, size) + value.to_bytes(size, "little")
        error, rest, _ = self.ask(REGION_WRITE, payload)
        assert (error, rest) == (0, payload[:16])

    def enable(self):
        """Admin queues of 32 entries at addresses 0 and 1000h."""
        self.write(0, 0x24, 0x001F001F, 4)
        self.write(0, 0x28, 0, 8)
        self.write(0, 0x30, 0x1000, 8)
        self.write(0, 0x14, 0x00460001, 4)
        assert self.read(0, 0x1C, 4) == 1


@pytest.fixture
def raw(served):
    client = Raw(served.path)
    yield client
    client.close()


# Identify Controller, CID 42h, to 2000h.
IDENTIFY = struct.pack("<IIQQQQI", 0x00420006, 0, 0, 0, 0x2000, 0, 1).ljust(64, b"\0")


@pytest.mark.parametrize("json", [b"", b"{}\0", b'{"capabilities":{"unknown":[{"x":1}]}}\0'])
def test_raw_version(raw, json):
    error, rest, _ = raw.version(json)
    assert error == 0
    assert rest[:4] == b"\0\0\1\0"
    assert rest.endswith(b"}\0")
    assert raw.ask(GET_INFO, struct.pack("<IIII", 16, 0, 0, 0))[:2] == (
        0,
        struct.pack("<IIII", 16, 3, 9, 5),
    )


def test_raw_command_with_shared_memory_and_doorbells(raw):
    raw.version()
    memory = os.memfd_create("client")
    os.ftruncate(memory, 0x4000)
    dma_map = struct.pack("<IIQQQ", 32, 3, 0, 0, 0x4000)
    assert raw.ask(DMA_MAP, dma_map, [memory])[0] == 0
    raw.enable()
    event = os.eventfd(0, os.EFD_NONBLOCK)
    set_irqs = struct.pack("<IIIII", 20, 0x24, 2, 0, 1)
    assert raw.ask(SET_IRQS, set_irqs, [event])[0] == 0
    error, rest, fds = raw.ask(REGION_INFO, struct.pack("<IIIIQQ", 64, 0, 0, 0, 0, 0))
    assert error == 0
    argsz, flags, index, cap, size, offset = struct.unpack("<IIIIQQ", rest[:32])
    assert (argsz, flags, index, cap) == (64, 15, 0, 32)
    identifier, version, _, areas, _, at, length = struct.unpack("<HHIIIQQ", rest[32:])
    assert (identifier, version, areas, at) == (1, 1, 1, 0x1000)
    assert at + length <= size
    os.pwrite(memory, IDENTIFY, 0)
    os.pwrite(fds[0], struct.pack("<I", 1), offset + at)  # the doorbell, and no message
    deadline = time.monotonic() + LIMIT_S
    while not os.pread(memory, 1, 0x100E)[0] & 1:  # the phase bit comes last
        assert time.monotonic() < deadline
    assert os.pread(memory, 16, 0x1000) == struct.pack("<QHHHH", 0, 1, 0, 0x42, 1)
    assert os.pread(memory, 40, 0x2018).rstrip() == b"pynvme embedded SSD"
    raw.ask(GET_INFO, struct.pack("<IIII", 16, 0, 0, 0))
    assert os.eventfd_read(event) == 1
    for fd in (memory, event, *fds):
        os.close(fd)


def test_raw_command_with_memory_by_messages(raw):
    raw.version()
    assert raw.ask(DMA_MAP, struct.pack("<IIQQQ", 32, 3, 0, 0, 0x4000))[0] == 0
    raw.enable()
    raw.memory[:64] = IDENTIFY
    raw.write(0, 0x1000, 1, 4)
    assert raw.memory[0x1000:0x1010] == struct.pack("<QHHHH", 0, 1, 0, 0x42, 1)
    assert raw.memory[0x2018 : 0x2018 + 19] == b"pynvme embedded SSD"


def test_raw_refusals(raw):
    assert raw.ask(GET_INFO, struct.pack("<IIII", 16, 0, 0, 0))[0] == EINVAL  # before VERSION
    assert raw.receive() is None


def test_hostile_bytes_do_not_hurt_the_server(served):
    random.seed(1)
    for turn in range(40):
        client = Raw(served.path)
        with contextlib.suppress(OSError):
            if turn % 2:
                client.version()
            for _ in range(20):
                payload = random.randbytes(random.choice([0, 4, 16, 20, 24, 32, 64, 300]))
                fds = [0] * random.randrange(3)
                size = random.choice([None] * 5 + [0, 15, 0xFFFFFFFF])
                client.send(random.randrange(20), payload, fds, random.choice([0, 0, 16]), size)
        client.close()
    with opened(served) as nvme0:
        assert nvme0[8] == 0x10400


# --- hostile servers -----------------------------------------------------------------------------


@pytest.fixture
def impostor(tmp_path):
    """impostor(answers): a server that sends these bytes after each message that it gets."""
    sockets = []

    def start(answers):
        listener = socket.socket(socket.AF_UNIX)
        path = tmp_path / "impostor.sock"
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        listener.listen()
        sockets.append(listener)

        def run():
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    for answer in answers:
                        client.recv(65536)
                        client.sendall(answer)
                    client.close()

        threading.Thread(target=run, daemon=True).start()
        return f"unix:{path}"

    yield start
    for listener in sockets:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def reply(number, command, payload=b"", flags=1, error=0, size=None):
    size = 16 + len(payload) if size is None else size
    return struct.pack("<HHIII", number, command, size, flags, error) + payload


GREETING = reply(1, VERSION, struct.pack("<HH", 0, 1) + b"{}\0")
PCI = reply(2, GET_INFO, struct.pack("<IIII", 16, 3, 9, 5))


@pytest.mark.parametrize(
    ("answers", "text"),
    [
        ([b""], "gone"),
        ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], "gone"),
        ([reply(1, VERSION, size=8)], "gone"),
        ([reply(1, VERSION, size=0x7FFFFFFF)], "gone"),
        ([reply(1, VERSION, b"\0")], "too short"),
        ([reply(1, VERSION, struct.pack("<HH", 1, 0))], "version 1.0"),
        ([reply(1, VERSION, struct.pack("<HH", 0, 1) + b"{\0")], "JSON"),
        ([reply(7, VERSION, struct.pack("<HH", 0, 1))], "nobody had asked"),
        ([reply(1, VERSION, flags=0x21, error=EBUSY)], "another client"),
        ([reply(1, VERSION, flags=0x21, error=EINVAL)], "Invalid argument"),
        ([GREETING], "does not say what it is"),
        ([GREETING, reply(2, GET_INFO, b"1234")], "does not say what it is"),
        ([GREETING, reply(2, GET_INFO, struct.pack("<IIII", 16, 1, 9, 5))], "no PCI function"),
        ([GREETING, PCI, reply(3, REGION_INFO, b"short")], "region 0"),
    ],
)
def test_a_server_that_talks_nonsense_is_refused(impostor, answers, text):
    with pytest.raises(d.NvmeEnumerateError, match=text):
        d.Controller(impostor(answers))
