"""Several controllers of one script on one NVMe/TCP target: each is an association of its own, and
what one of them does to namespaces is known to the others."""

from __future__ import annotations

import gc
import struct
import warnings
from collections.abc import Iterator

import pytest
from until import until

import nvme as d
from nvme.target import Target

QUICK = "capacity=1GiB,latency=0"
CHANGED_NAMESPACES = 0x04
NAMESPACE_ATTRIBUTE_CHANGED = 0x040002  # log page 04h, information 00h, type 2h (Notice)


@pytest.fixture
def target() -> Iterator[Target]:
    with Target(f"sim:{QUICK}") as served:
        yield served


def cntlid(nvme0: d.Controller) -> int:
    return int(nvme0.id_data(79, 78))


def read(nvme0: d.Controller, lba: int = 0) -> bytes:
    nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 8), d.Buffer(4096)
    nvme0n1.read(qpair, buf, lba, 8).waitdone()
    qpair.delete()
    return bytes(buf[:])


def write(nvme0: d.Controller, number: int, lba: int = 0) -> None:
    nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 8), d.Buffer(4096)
    buf[:] = bytes([number]) * 4096
    nvme0n1.write(qpair, buf, lba, 8).waitdone()
    qpair.delete()


@pytest.mark.parametrize("how", ["the same text", "one Tcp", "Pcie of the first"])
def test_each_controller_is_an_association(target: Target, how: str) -> None:
    tcp = d.Tcp("127.0.0.1", target.port)
    first = d.Controller(target.address if how == "the same text" else tcp)
    again = {"the same text": target.address, "one Tcp": tcp}.get(how) or d.Pcie(first)
    second = d.Controller(again)
    assert target.controllers == 2
    assert cntlid(first) != cntlid(second)
    assert first.addr == second.addr == target.address
    first.setfeatures(4, cdw11=350).waitdone()
    assert second.getfeatures(4).waitdone() & 0xFFFF != 350
    # Queues of both begin at 1, and are not each other's.
    queues = [d.Qpair(nvme0, 8) for nvme0 in (first, second)]
    assert [queue.sqid for queue in queues] == [1, 1]
    with pytest.raises(AssertionError):
        d.Namespace(first).read(queues[1], d.Buffer(512), 0)
    write(first, 7)
    assert read(second)[8:496] == bytes([7]) * 488
    first.reset()  # is nothing to the other one
    d.Namespace(second).read(queues[1], d.Buffer(512), 0).waitdone()
    first.close()
    d.Namespace(second).read(queues[1], d.Buffer(512), 0).waitdone()
    until(lambda: target.controllers == 1)
    with pytest.raises(AssertionError, match="is closed"):
        first.getfeatures(7)
    tcp.close()
    if how == "one Tcp":
        with pytest.raises(AssertionError, match="is closed"):
            second.getfeatures(7)
    second.close()
    until(lambda: target.controllers == target.connections == 0)


def test_one_that_is_dropped_is_gone(target: Target) -> None:
    kept = d.Controller(target.address)
    dropped = d.Controller(target.address)
    assert target.controllers == 2
    del dropped
    gc.collect()
    until(lambda: target.controllers == 1)
    assert read(kept) is not None
    kept.close()


def test_eight_hosts_at_once(target: Target) -> None:
    nqns = [f"nqn.2024-01.org.example:host{number}" for number in range(8)]
    controllers = [d.Controller(f"{target.address};hostnqn={nqn}") for nqn in nqns]
    assert len({cntlid(nvme0) for nvme0 in controllers}) == target.controllers == 8
    workers = [
        d.Namespace(nvme0)
        .ioworker(io_size=8, io_count=200, qdepth=8, region_end=1024, read_percentage=50)
        .start()
        for nvme0 in controllers
    ]
    assert [worker.close().error for worker in workers] == [0] * 8
    for nvme0 in controllers:
        nvme0.close()


def test_what_one_controller_writes_is_no_miscompare_of_another(target: Target) -> None:
    first, second = d.Controller(target.address), d.Controller(target.address + ";hdgst=1")
    followed = [d.Namespace(first), d.Namespace(second)]
    assert all(nvme0n1.verify_enable() for nvme0n1 in followed)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number, nvme0 in enumerate((first, second, first, second)):
            write(nvme0, number)
            assert read(first)[8:496] == read(second)[8:496] == bytes([number]) * 488
        workers = [
            d.Namespace(nvme0)
            .ioworker(io_size=[1, 8], io_count=2000, qdepth=16, region_end=64, read_percentage=50)
            .start()
            for nvme0 in (first, second)
        ]
        assert [worker.close().error for worker in workers] == [0, 0]
    # And what is wrong is found by whoever reads it, whoever wrote it.
    write(first, 9)
    with (
        target.ssd.fault("read,nth=1", "flip"),
        pytest.warns(UserWarning, match="ERROR status: 07/81"),
    ):
        read(second)
    # Formatted by one of them, nothing is known of any LBA by all.
    first.format(0).waitdone()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(second)
        write(second, 1)
        read(first)
    for nvme0n1, nvme0 in zip(followed, (first, second), strict=True):
        nvme0n1.close()
        nvme0.close()


class Listener:
    """A host that waits for Namespace Attribute Changed, on a connection of its own."""

    def __init__(self, target: Target) -> None:
        self.nvme0 = d.Controller(f"{target.address};hostnqn=nqn.2024-01.org.example:listener")
        self.heard: list[int] = []
        self.nvme0.setfeatures(11, cdw11=1 << 8).waitdone()
        self.nvme0.aer(lambda cdw0, status1: self.heard.append(cdw0))

    def changed(self) -> list[int]:
        """Waits for the event; the Changed Namespace List, which clears it."""

        def told() -> bool:
            self.nvme0.getfeatures(7).waitdone()
            return bool(self.heard)

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # AER notification is triggered
            until(told)
        assert self.heard == [NAMESPACE_ATTRIBUTE_CHANGED]
        self.heard.clear()
        buf = d.Buffer(4096)
        self.nvme0.getlogpage(CHANGED_NAMESPACES, buf, 4096).waitdone()
        listed = [nsid for nsid in struct.unpack("<1024I", bytes(buf[:])) if nsid]
        self.nvme0.getlogpage(CHANGED_NAMESPACES, buf, 4096).waitdone()
        assert not any(buf[:])  # reading it has cleared it
        return listed


def test_a_format_by_one_host_is_told_to_the_other() -> None:
    with Target(f"sim:{QUICK},lbaformats=512+4096") as target:
        other = Listener(target)
        theirs = d.Namespace(other.nvme0)
        assert (theirs.sector_size, theirs.id_data(7, 0)) == (512, 1 << 21)
        nvme0 = d.Controller(target.address)
        write(nvme0, 7)
        nvme0.format(1).waitdone()
        assert other.changed() == [1]
        assert theirs.id_data(7, 0) == 1 << 18
        assert d.Namespace(other.nvme0).sector_size == 4096
        qpair, buf = d.Qpair(other.nvme0, 8), d.Buffer(4096)
        d.Namespace(other.nvme0).read(qpair, buf, 0, 1).waitdone()
        assert not any(buf[8:4088])  # the data are gone
        other.nvme0.close()
        nvme0.close()


def test_namespaces_that_come_and_go_are_told_to_the_other() -> None:
    with Target(f"sim:{QUICK},namespaces=2") as target:
        other = Listener(target)
        nvme0 = d.Controller(target.address)
        mine, theirs = cntlid(nvme0), cntlid(other.nvme0)
        list_of = d.Buffer(4096)

        def attach(nsid: int, detach: bool) -> None:
            list_of[0:6] = struct.pack("<HHH", 2, *sorted((mine, theirs)))
            nvme0.send_cmd(0x15, list_of, nsid=nsid, cdw10=int(detach)).waitdone()

        attach(2, detach=True)
        assert other.changed() == [2]
        with pytest.raises(d.NamespaceCreationError):
            d.Namespace(other.nvme0, 2)
        attach(2, detach=False)
        assert other.changed() == [2]
        d.Namespace(other.nvme0, 2).close()
        nvme0.send_cmd(0x0D, nsid=2, cdw10=1).waitdone()  # Namespace Management: delete
        assert other.changed() == [2]
        with pytest.raises(d.NamespaceCreationError):
            d.Namespace(other.nvme0, 2)
        other.nvme0.close()
        nvme0.close()
