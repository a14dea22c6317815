"""Namespaces: managed by raw commands, several at once, and objects of those that change or go."""

import pytest

import nvme as d

MIB = 1 << 20


class Manager:
    """Namespace Management and Attachment through send_cmd(); each returns (status code, cdw0)."""

    def __init__(self, nvme0):
        self.nvme0 = nvme0

    def run(self, opcode, buf=None, nsid=0, cdw10=0):
        done = []
        self.nvme0.send_cmd(
            opcode, buf, nsid, cdw10, cb=lambda cdw0, status1: done.append((status1 >> 1, cdw0))
        )
        self.nvme0.waitdone()
        status, cdw0 = done[0]
        return status & 0x7FF, cdw0

    def create(self, nsze, flbas=0, ncap=None, **fields):
        buf = d.Buffer(4096)
        buf[0:8] = nsze.to_bytes(8, "little")
        buf[8:16] = (nsze if ncap is None else ncap).to_bytes(8, "little")
        buf[26] = flbas
        for offset, value in fields.items():
            buf[int(offset[1:])] = value
        return self.run(0x0D, buf)

    def delete(self, nsid):
        return self.run(0x0D, None, nsid, 1)[0]

    def attachment(self, nsid, select, controllers=None):
        controllers = [self.nvme0.id_data(79, 78)] if controllers is None else controllers
        buf = d.Buffer(4096)
        for index, number in enumerate([len(controllers), *controllers]):
            buf[2 * index : 2 * index + 2] = number.to_bytes(2, "little")
        return self.run(0x15, buf, nsid, select)[0]

    def attach(self, nsid):
        return self.attachment(nsid, 0)

    def detach(self, nsid):
        return self.attachment(nsid, 1)

    def listed(self, cns):
        buf = d.Buffer(4096)
        self.nvme0.identify(buf, nsid=0, cns=cns).waitdone()
        nsids = [buf.data(4 * i + 3, 4 * i) for i in range(1024)]
        return [nsid for nsid in nsids if nsid]

    @property
    def unallocated(self):
        return self.nvme0.id_data(311, 296)


@pytest.fixture
def nvme0(connect):
    return connect(capacity="64MiB")


@pytest.fixture
def manager(nvme0, recwarn):
    return Manager(nvme0)


@pytest.fixture
def two(connect):
    """A drive with one namespace of 512 and one of 4096 bytes an LBA."""
    return connect(capacity="64MiB", nsformats="512+4096", nssizes="16MiB+32MiB")


def test_create_attach_use_detach_delete(nvme0, manager):
    assert nvme0.supports(0x0D)
    assert nvme0.id_data(257, 256) >> 3 & 1  # OACS
    total = nvme0.id_data(295, 280)
    assert (total, manager.unallocated) == (64 * MIB, 0)
    assert manager.delete(0xFFFFFFFF) == 0
    assert manager.unallocated == total
    assert manager.create(3001) == (0, 1)
    assert manager.create(1000, flbas=1) == (0, 2)
    assert manager.listed(0x10) == [1, 2]
    assert manager.listed(0x02) == []
    assert manager.unallocated == total - 376 * 4096 - 1000 * 4096
    assert nvme0.id_data(7, 0, nsid=2, cns=0x00) == 0
    assert nvme0.id_data(7, 0, nsid=2, cns=0x11) == 1000
    with pytest.raises(d.NamespaceCreationError, match=r"is not active.*Active: none\."):
        d.Namespace(nvme0, 2)
    assert manager.attach(2) == 0
    assert manager.attach(1) == 0
    one, other, qpair = d.Namespace(nvme0, 1), d.Namespace(nvme0, 2), d.Qpair(nvme0, 16)
    assert (one.capacity, one.sector_size) == (3001, 512)
    assert (other.capacity, other.sector_size) == (1000, 4096)
    assert other.id_data(26) & 0xF == 1
    for namespace in (one, other):
        assert namespace.verify_enable()
        last = namespace.capacity - 1
        buf = d.Buffer(4096)
        namespace.write(qpair, buf, last).waitdone()
        namespace.read(qpair, buf, last).waitdone()
        assert buf.data_head == last
    assert manager.detach(1) == 0
    assert manager.delete(1) == 0
    assert manager.listed(0x02) == [2]
    other.read(qpair, buf, 999).waitdone()
    assert buf.data_head == 999


def test_statuses(nvme0, manager):
    assert manager.create(8)[0] == 0x115
    assert manager.delete(1) == 0
    assert manager.create(8, flbas=7)[0] == 0x10A
    assert manager.create(8, b29=1)[0] == 0x10A
    assert manager.create(8, ncap=7)[0] == 0x11B
    assert manager.create(8, ncap=9)[0] == 0x002
    assert manager.create(0)[0] == 0x002
    nn = nvme0.id_data(519, 516)
    assert [manager.create(8) for _ in range(nn)] == [(0, nsid) for nsid in range(1, nn + 1)]
    assert manager.create(8)[0] == 0x116
    assert manager.delete(nn) == 0
    assert manager.delete(nn) == 0x002
    assert manager.delete(nn + 1) == 0x00B
    assert manager.attach(nn) == 0x002
    assert manager.attach(nn + 1) == 0x00B
    assert manager.attach(1) == 0
    assert manager.attach(1) == 0x118
    assert manager.detach(2) == 0x11A
    assert manager.attachment(2, 2) == 0x002
    for controllers in ([], [77], [1, 1], [1, 2]):
        assert manager.attachment(2, 0, controllers) == 0x11C


def test_io_to_namespaces_that_are_gone(nvme0, manager, warned):
    namespace, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 16), d.Buffer(512)
    assert namespace.verify_enable()
    namespace.write(qpair, buf, 7).waitdone()
    assert manager.detach(1) == 0
    warned()
    namespace.read(qpair, buf, 7).waitdone()
    namespace.write(qpair, buf, 8).waitdone()
    assert warned() == ["ERROR status: 00/02"] * 2
    assert namespace.capacity == 0
    with pytest.raises(AssertionError, match=r"namespace 1 of .* is not active.*No IOWorker"):
        namespace.ioworker(io_count=1).start()
    assert manager.attach(1) == 0
    namespace.read(qpair, buf, 7).waitdone()
    assert buf.data_head == 7
    assert warned() == []
    assert manager.delete(1) == 0
    namespace.read(qpair, buf, 7).waitdone()
    assert warned() == ["ERROR status: 00/02"]
    namespace.send_cmd(2, qpair, buf, nsid=200).waitdone()
    assert warned() == ["ERROR status: 00/0b"]
    # Another one in its place: other LBAs, no data, and the object knows.
    assert manager.create(16000, flbas=1) == (0, 1)
    assert manager.attach(1) == 0
    assert (namespace.capacity, namespace.sector_size) == (16000, 4096)
    with pytest.raises(AssertionError, match="transfers 4096 bytes"):
        namespace.read(qpair, buf, 7)
    large = d.Buffer(4096)
    namespace.read(qpair, large, 7).waitdone()
    assert large[:] == bytes(4096)
    with namespace.ioworker(io_size=1, read_percentage=50, io_count=1000) as worker:
        pass
    assert worker.close().error == 0
    assert warned() == []


def test_raw_format_is_noticed(two, warned):
    small, large, qpair = d.Namespace(two, 1), d.Namespace(two, 2), d.Qpair(two, 16)
    assert small.verify_enable()
    assert large.verify_enable()
    buf = d.Buffer(4096)
    small.write(qpair, buf, 5).waitdone()
    large.write(qpair, buf, 5).waitdone()
    two.send_cmd(0x80, nsid=1, cdw10=1).waitdone()
    assert (small.sector_size, small.capacity) == (4096, 4096)
    small.read(qpair, buf, 5).waitdone()
    assert buf[:] == bytes(4096)
    # The other one is what it was, and still checked.
    buf[100] = 1
    large.send_cmd(1, qpair, buf, nsid=2, cdw10=6).waitdone()
    large.read(qpair, buf, 5).waitdone()
    assert buf.data_head == 5
    assert warned() == []
    large.read(qpair, buf, 6).waitdone()
    assert len(warned()) == 1  # raw data have no stamp
    two.format(lbaf=0, nsid=0xFFFFFFFF).waitdone()
    assert (small.sector_size, large.sector_size) == (512, 512)
    large.read(qpair, buf, 5).waitdone()
    assert buf[:512] == bytes(512)


def test_two_formats_at_once_under_load(two, warned):
    small, large = d.Namespace(two, 1), d.Namespace(two, 2)
    assert small.verify_enable()
    assert large.verify_enable()
    workers = [
        namespace.ioworker(io_size=[1, 7, 8], read_percentage=50, io_count=3000, qdepth=16)
        for namespace in (small, large, small, large)
    ]
    results = [worker.close() for worker in [worker.start() for worker in workers]]
    assert [result.error for result in results] == [0] * 4
    assert [result.io_count_read + result.io_count_nonread for result in results] == [3000] * 4
    assert warned() == []
    small.format(512)
    with large.ioworker(io_size=8, lba_random=False, io_count=500) as worker:
        pass
    assert worker.close().error == 0
    assert warned() == []


@pytest.mark.parametrize("what", ["detach", "delete", "format"])
def test_changes_under_load(connect, warned, what):
    nvme0 = connect(capacity="64MiB", namespaces=2, latency=1)
    namespace, other = d.Namespace(nvme0, 1), d.Namespace(nvme0, 2)
    bystander = other.ioworker(io_size=8, read_percentage=50, io_count=2000, qdepth=8).start()
    worker = namespace.ioworker(io_size=8, read_percentage=50, time=20, qdepth=32).start()
    manager = Manager(nvme0)
    if what == "detach":
        assert manager.detach(1) == 0
    elif what == "delete":
        assert manager.delete(1) == 0
    else:
        assert manager.run(0x80, None, 1, 1)[0] == 0
    if what != "format":
        assert worker.close().error != 0
        assert any("ERROR status: 00/02" in text for text in warned())
    else:
        worker.stop()
        worker.close()
    assert bystander.close().error == 0
    qpair = d.Qpair(nvme0, 4)
    other.read(qpair, d.Buffer(4096), 0, 8).waitdone()


def test_changed_namespaces_are_reported(nvme0, manager):
    events = []
    nvme0.setfeatures(0x0B, cdw11=0x100).waitdone()
    nvme0.aer(cb=lambda cdw0, status1: events.append(cdw0))
    assert manager.detach(1) == 0
    log = d.Buffer(4096)
    nvme0.getlogpage(4, log, 4096).waitdone()
    assert events == [0x040002]
    assert (log.data(3, 0), log.data(7, 4)) == (1, 0)
    assert manager.attach(1) == 0
    nvme0.getlogpage(4, log, 4096).waitdone()
    assert events == [0x040002] * 2


def test_layout_outlives_the_process(tmp_path, connect):
    config = {"file": tmp_path / "ssd", "capacity": "64MiB"}
    ssd = d.Ssd(latency=0, **config)
    nvme0 = d.Controller(ssd)
    manager = Manager(nvme0)
    assert manager.delete(1) == 0
    assert manager.create(1000, flbas=1) == (0, 1)
    assert manager.create(500) == (0, 2)
    assert manager.create(77) == (0, 3)
    assert manager.attach(1) == 0
    assert manager.attach(2) == 0
    qpair, buf = d.Qpair(nvme0, 4), d.Buffer(4096)
    d.Namespace(nvme0, 1).write(qpair, buf, 999).waitdone()
    d.Namespace(nvme0, 2).write(qpair, buf, 499).waitdone()
    nvme0.close()
    ssd.unplug()
    del ssd, nvme0, qpair, manager
    nvme0 = connect(**config)
    manager = Manager(nvme0)
    assert (manager.listed(0x02), manager.listed(0x10)) == ([1, 2], [1, 2, 3])
    qpair = d.Qpair(nvme0, 4)
    for nsid, size, lba in ((1, 4096, 999), (2, 512, 499)):
        namespace = d.Namespace(nvme0, nsid)
        assert (namespace.sector_size, namespace.capacity) == (size, lba + 1)
        namespace.read(qpair, buf, lba).waitdone()
        assert buf.data_head == lba


def test_get_lba_status(nvme0):
    namespace, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 4), d.Buffer(4096)
    assert nvme0.supports(0x86)
    assert nvme0.id_data(257, 256) >> 9 & 1  # OACS

    def ranges(action=0x10, slba=0, length=0, dwords=1024):
        nvme0.send_cmd(0x86, buf, 1, slba, 0, dwords - 1, action << 24 | length).waitdone()
        count = buf.data(3, 0)
        found = [
            (buf.data(15 + 16 * i, 8 + 16 * i), buf.data(19 + 16 * i, 16 + 16 * i))
            for i in range(count)
        ]
        return found, buf[4]

    assert ranges() == ([], 2)
    namespace.write_uncorrectable(qpair, 100, 20).waitdone()
    namespace.write_uncorrectable(qpair, 5000).waitdone()
    assert ranges() == ranges(0x11) == ([(100, 20), (5000, 1)], 2)
    assert ranges(length=110) == ([(100, 10)], 2)
    assert ranges(slba=110) == ([(110, 10), (5000, 1)], 2)
    assert ranges(dwords=6) == ([(100, 20)], 1)
    namespace.write(qpair, d.Buffer(512), 110).waitdone()
    namespace.write_zeroes(qpair, 5000).waitdone()
    assert ranges() == ([(100, 10), (111, 9)], 2)
    nvme0.format().waitdone()
    assert ranges() == ([], 2)


def test_flush_and_dataset_management_by_namespace(two, warned):
    small, large, qpair = d.Namespace(two, 1), d.Namespace(two, 2), d.Qpair(two, 16)
    buf, ranges = d.Buffer(4096), d.Buffer(4096)
    small.write(qpair, buf, 3).waitdone()
    large.write(qpair, buf, 3).waitdone()
    small.send_cmd(0, qpair, nsid=0xFFFFFFFF).waitdone()
    ranges.set_dsm_range(0, 3, 1)
    for attribute in (0, 1, 2, 3, 7):  # hints, and all of them with deallocate
        small.dsm(qpair, ranges, 1, attribute).waitdone()
    small.read(qpair, buf, 3).waitdone()
    assert buf[:512] == bytes(512)
    large.read(qpair, buf, 3).waitdone()
    assert buf.data_head == 3
    large.write_zeroes(qpair, 3, io_flags=0x0200).waitdone()  # DEAC
    assert large.id_data(23, 16) == 0  # NUSE
    large.compare(qpair, d.Buffer(4096), 3).waitdone()
    large.verify(qpair, 0, 100).waitdone()
    large.write_uncorrectable(qpair, 9).waitdone()
    assert warned() == []
    large.verify(qpair, 0, 100).waitdone()
    small.verify(qpair, 0, 100).waitdone()
    assert warned() == ["ERROR status: 02/81"]


@pytest.mark.parametrize(
    "wrong",
    ["lba=513", "nssizes=1", "capacity=16MiB,nssizes=9MiB+9MiB", "lbaformats=520", "what=1"],
)
def test_wrong_keys(wrong):
    with pytest.raises(d.NvmeEnumerateError):
        d.Controller("sim:" + wrong)
    with pytest.raises(AssertionError) as caught:
        d.Ssd(**dict(item.split("=") for item in wrong.split(",")))
    assert not isinstance(caught.value, d.NvmeEnumerateError)


def test_power_states(connect):
    nvme0 = connect(powerstates=2)
    assert nvme0.id_data(263) == 1
    nvme0.setfeatures(2, cdw11=1).waitdone()
    with pytest.warns(UserWarning, match="ERROR status: 00/02"):
        nvme0.setfeatures(2, cdw11=2).waitdone()


@pytest.mark.parametrize("size", [1024, 2048])
def test_lbas_of_other_sizes(tmp_path, connect, warned, size):
    config = {"lbaformats": f"512+{size}", "nsformats": f"{size}+512", "capacity": "64MiB"}
    nvme0 = connect(file=tmp_path / "ssd", **config)
    namespaces = [d.Namespace(nvme0, nsid) for nsid in (1, 2)]
    assert [namespace.sector_size for namespace in namespaces] == [size, 512]
    workers = []
    for namespace in namespaces:
        assert namespace.verify_enable()
        ratio = {2: 50, 1: 40, 9: 10}
        worker = namespace.ioworker(io_size=[1, 3, 8], op_percentage=ratio, io_count=2000)
        workers.append(worker.start())
    assert [worker.close().error for worker in workers] == [0, 0]
    assert warned() == []
