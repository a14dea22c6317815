"""What hosts may do that few do, and what looks the same on a fabric as on PCIe."""

from __future__ import annotations

import os
import struct
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from tcp_host import C2H_TERM, COMMAND, HOSTID, HOSTNQN, ICRESP, Host, admin, io, sgl, sqe

import nvme as d
from nvme import discover
from nvme.errors import ArgumentError
from nvme.target import Target

SSD = "sim:capacity=1GiB,latency=0"


@pytest.fixture
def target() -> Iterator[Target]:
    with Target(SSD) as served:
        yield served


@pytest.fixture
def nvme0(target: Target) -> Iterator[d.Controller]:
    controller = d.Controller(target.address)
    yield controller
    controller.close()


def status_of(host: Host, opcode: int, pointer: bytes, data: bytes = b"", **fields: int) -> int:
    """Of an I/O command with its SGL as it is."""
    cid = host.cid()
    host.send(host.encode(COMMAND, sqe(opcode, nsid=1, cid=cid, data=pointer, **fields), data))
    done, _ = host.completion(cid)
    assert done is not None
    return done.status


def test_byte_1_of_a_fabrics_command_is_reserved(target: Target) -> None:
    data = HOSTID + struct.pack("<H", 0xFFFF) + bytes(238)
    data += target.nqn.encode().ljust(256, b"\0") + HOSTNQN.encode().ljust(256, b"\0") + bytes(256)
    with Host(target.port) as host:
        assert host.icreq().type == ICRESP
        for flags in (0x00, 0xC3):
            done, _ = host.command(0x7F, write=data, nsid=1, flags=flags, cdw11=31)
            assert done is not None
            assert done.status == (0x00 if flags == 0 else 0x0C)  # once it is there: a sequence
            done, _ = host.command(0x7F, nsid=4, flags=flags, cdw10=1)
            assert done is not None
            assert done.status == 0
        host.enable()
        done, _ = host.command(0x06, read=4096, flags=0, cdw10=1)
        assert done is not None
        assert done.status == 0x02, "of all others it says where the data are"


def test_data_that_begin_later_in_the_capsule(target: Target) -> None:
    with admin(target.port, target.nqn) as queue, io(queue, target.port, target.nqn) as host:
        data = os.urandom(512)
        assert status_of(host, 1, sgl(0x01, 512, 1024), bytes(1024) + data) == 0
        _, read = host.command(2, read=512, nsid=1)
        assert read == data
        for pointer, size, status in (
            (sgl(0x01, 512, 1024), 1024, 0x16),  # behind the data that are there
            (sgl(0x01, 512, 8192), 8704, 0x16),  # behind what a capsule may have
            (sgl(0x01, 512, 1 << 63), 512, 0x16),
            (sgl(0x01, 0, 1 << 31), 0, 0x0F),
            (sgl(0x01, 512), 1024, 0x0F),
        ):
            assert status_of(host, 1, pointer, bytes(size)) == status, pointer


def test_an_sgl_that_is_longer_than_the_data(target: Target) -> None:
    with admin(target.port, target.nqn) as queue, io(queue, target.port, target.nqn) as host:
        data = os.urandom(512)
        assert status_of(host, 1, sgl(0x01, 4096), data + bytes(3584)) == 0
        host.send(host.encode(COMMAND, sqe(2, nsid=1, cid=9, data=sgl(0x5A, 4096))))
        pdu = host.pdu()
        assert (pdu.type, pdu.u32(12), pdu.u32(16), pdu.flags & 4) == (7, 0, 512, 4)
        assert pdu.data == data
        assert host.pdu().status == 0
        # A Get Features without data has none, whatever the SGL says.
        queue.send(queue.encode(COMMAND, sqe(10, cid=9, data=sgl(0x5A, 4096), cdw10=7)))
        assert queue.pdu().type == 5


def test_buffers_may_be_larger_than_the_data(target: Target, nvme0: d.Controller) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        buf, nvme0n1, qpair = d.Buffer(8192, pvalue=1), d.Namespace(nvme0), d.Qpair(nvme0, 8)
        nvme0n1.send_cmd(1, qpair, buf, cdw12=0).waitdone()
        back = d.Buffer(4096)
        nvme0n1.send_cmd(2, qpair, back, cdw12=0).waitdone()
        assert back[:] == buf[:512] + bytes(3584)
        nvme0n1.send_cmd(5, qpair, buf, cdw12=0).waitdone()
        buf.set_dsm_range(0, 8, 8)
        nvme0n1.send_cmd(9, qpair, buf, cdw10=0, cdw11=4).waitdone()
        # Get LBA Status and NVMe-MI Receive say themselves how much they return.
        nvme0.send_cmd(0x86, back, 1, 0, 0, 1023, 0x10 << 24).waitdone()
        assert back[4] == 2
        assert nvme0.mi_receive(0, 0, 0, back).waitdone() == 32 << 8
        # Namespace Management's Create has 4096 bytes, of which not all mean something.
        nvme0.send_cmd(0x0D, None, 1, 1).waitdone()
        create = d.Buffer(4096)
        create[0:16] = (1000).to_bytes(8, "little") * 2
        assert nvme0.send_cmd(0x0D, create, 0, 0).waitdone() == 1


def test_a_capsule_of_gigabytes_is_not_waited_for(target: Target) -> None:
    with Host(target.port) as host:
        host.icreq()
        host.send(struct.pack("<BBBBI", COMMAND, 0, 72, 72, 0xFFFFFFFF) + sqe(0x7F, nsid=4))
        answer = host.pdu()
        assert (answer.type, answer.u16(8)) == (C2H_TERM, 5)


def test_small_queues() -> None:
    with Target("sim:capacity=1GiB,latency=0,mqes=15") as target:
        with Host(target.port) as host:
            host.icreq()
            assert host.connect(target.nqn, sqsize=31).status == 0, "ASQSZ of the Discovery log"
        nvme0 = d.Controller(target.address)
        assert d.Qpair(nvme0, 16).sqid == 1
        with pytest.raises(AssertionError):
            d.Qpair(nvme0, 17)
        nvme0.close()


def test_the_number_of_queues_limits_them(target: Target) -> None:
    with admin(target.port, target.nqn) as queue:
        done, _ = queue.command(9, cdw10=7, cdw11=3 << 16 | 1)
        assert done is not None
        assert done.cdw0 == 3 << 16 | 1
        for qid, status in ((2, 0), (3, 0x182)):
            with Host(target.port) as host:
                host.icreq()
                assert host.connect(target.nqn, qid=qid, cntlid=queue.cntlid).status == status


def test_the_host_identifier_is_that_of_connect(target: Target) -> None:
    with admin(target.port, target.nqn) as queue:
        _, data = queue.command(10, read=16, cdw10=0x81, cdw11=1)
        assert data == HOSTID
        done, _ = queue.command(10, read=8, cdw10=0x81)
        assert done is not None
        assert done.status == 0x02, "8 bytes of it are not for a fabric"
        done, _ = queue.command(9, write=bytes(16), cdw10=0x81, cdw11=1)
        assert done is not None
        assert done.status == 0x0C


def test_what_is_advertised_is_an_address() -> None:
    for text in ("nowhere", "nowhere:", ":4420", "192.0.2.1:port", "192.0.2.1:0", "192.0.2.1:65536",
                 "2001:db8::1:4420"):  # fmt: skip
        with pytest.raises(ArgumentError, match="ADDRESS:PORT"):
            Target(SSD, advertise=text)
    for text, address in (("192.0.2.1:4420", "192.0.2.1"), ("[2001:db8::1]:4421", "2001:db8::1")):
        with Target(SSD, advertise=text) as target:
            (entry,) = discover.discover(target.address)
            assert entry["traddr"] == address
            assert entry["trsvcid"] == text.rpartition(":")[2]


def test_numbers_of_a_target_that_cannot_be() -> None:
    for name in ("in_capsule", "max_h2c_data", "max_c2h_data", "max_r2t_data", "cpda", "spin_us"):
        with pytest.raises(ArgumentError, match=f"{name} = -1 is not in"):
            Target(SSD, **{name: -1})  # type: ignore[arg-type]


def test_discovery_takes_a_host_name(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    by_address = discover.discover(target.address)
    assert discover.discover(f"localhost:{target.port}") == by_address
    with pytest.raises(d.NvmeEnumerateError, match=r"discover \[::1\]:1\)"):
        discover.discover("[::1]:1")

    def nobody(*_: object, **__: object) -> None:
        raise OSError(-2, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", nobody)
    with pytest.raises(d.NvmeEnumerateError, match="nobody: Name or service not known"):
        discover.discover("nobody:4420")


def test_queues_of_before_a_reset_are_not_usable(target: Target, nvme0: d.Controller) -> None:
    nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 8), d.Buffer(512)
    nvme0.reset()
    with pytest.raises(AssertionError, match=r"not usable: CC\.EN was cleared"):
        nvme0n1.read(qpair, buf, 0)
    # The same, when the connection was lost before.
    qpair = d.Qpair(nvme0, 8)
    target.fault("reset", queue=1)
    with pytest.raises(SystemError):
        nvme0n1.read(qpair, buf, 0).waitdone()
    nvme0.reset()
    with pytest.raises(AssertionError, match="not usable"):
        nvme0n1.read(qpair, buf, 0)


def test_there_are_no_doorbells(nvme0: d.Controller) -> None:
    with pytest.raises(IndexError, match=r"over a fabric: .*there are no doorbells"):
        nvme0[0x1000] = 1


def test_a_discovery_controller_is_one_like_any_other(target: Target) -> None:
    nvme0 = d.Controller(f"{target.address};nqn=nqn.2014-08.org.nvmexpress.discovery")
    assert nvme0.id_data(111) == 2
    log = d.Buffer(2048)
    nvme0.getlogpage(0x70, log, 2048).waitdone()
    assert log.data(15, 8) == 1
    assert bytes(log[1024 + 256 :]).partition(b"\0")[0].decode() == target.nqn
    with pytest.raises(d.QpairCreationError):
        d.Qpair(nvme0, 8)
    nvme0.reset()
    assert nvme0[0x1C] == 1
    nvme0.close()


CROWD = """
import socket, sys
sys.stdin.readline()
many = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(60)]
for one in many:
    one.settimeout(40)
refused = 0
for one in many[40:]:  # these came last
    try:
        refused += one.recv(1) == b""
    except ConnectionResetError:
        refused += 1
print(refused, flush=True)
sys.stdin.readline()
"""


def test_more_connections_than_descriptors(system: Any) -> None:
    code, out, errors = system.script(
        """
        import os, resource, subprocess, sys, time
        from nvme.target import Target
        target = Target("sim:capacity=1GiB,latency=0", connect_timeout=60)
        crowd = subprocess.Popen([sys.executable, "-c", sys.argv[1], str(target.port)],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        most = len(os.listdir("/proc/self/fd")) + 20
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        crowd.stdin.write("\\n")
        crowd.stdin.flush()
        refused = crowd.stdout.readline()
        for _ in range(20):  # one that spins is busy each time; a machine that is, is not always
            begin = time.process_time()
            time.sleep(0.3)
            busy = time.process_time() - begin
            if busy < 0.2:
                break
        crowd.communicate("\\n")
        print(refused.strip(), busy < 0.2, target.connections <= 20)
        target.close()
        """,
        CROWD,
    )
    assert (code, out) == (0, "20 True True\n"), errors
