"""Namespaces of other kinds on QEMU's controller: run in a guest by ../test_namespaces.py."""

import struct

import pytest

import nvme as d
from psd import CQE, IOCQ, IOSQ, PRP, SQE

PLAIN, LARGE, ZONED, EXTENDED, PROTECTED, SEPARATE = range(1, 7)
APART_PROTECTED, APART_16, PROTECTED_IN_16, GUARD_64 = range(7, 11)
ZONE, ZONE_CAPACITY = 1024, 768  # in LBAs
EMPTY, IMPLICITLY_OPEN, EXPLICITLY_OPEN, CLOSED, FULL = 1, 2, 3, 4, 0xE
CLOSE, FINISH, OPEN, RESET = 1, 2, 3, 4
READ, WRITE, ZONE_APPEND = 2, 1, 0x7D


@pytest.fixture(params=[PLAIN, LARGE])
def simple(nvme0, request):
    return d.Namespace(nvme0, request.param)


def test_lbas_of_512_and_4096_bytes(nvme0, simple, qpair):
    lba = {PLAIN: 512, LARGE: 4096}[simple.nsid]
    assert simple.sector_size == lba
    assert simple.capacity * lba == 64 << 20
    assert simple.verify_enable()
    io_size = [1, 8, 16 * 1024 // lba]
    worker = simple.ioworker(io_size=io_size, read_percentage=50, io_count=1000, region_end=4096)
    result = worker.start().close()
    assert result.error == 0
    assert result.io_count_read + result.io_count_write == 1000
    data, again = d.Buffer(lba * 3, pvalue=100, ptype=0xBEEF), d.Buffer(lba * 3)
    simple.write(qpair, data, 5, 3).waitdone()
    simple.read(qpair, again, 5, 3).waitdone()
    assert again[:] == data[:]
    assert again.data(lba + 7, lba) == 6


# --- zones (Zoned Namespace Command Set 1.1) ------------------------------------------------------


def zones(zoned, qpair, slba=0, count=4, **arguments):
    """State, capacity, start and write pointer of each zone."""
    buf = d.Buffer(64 + 64 * count)
    zoned.zns_mgmt_receive(qpair, buf, slba, extended=False, **arguments).waitdone()
    reported = min(buf.data(7, 0), count)
    for at in range(64, 64 + 64 * reported, 64):
        kind, state = buf[at] & 15, buf[at + 1] >> 4
        assert kind == 2  # Sequential Write Required
        yield state, *struct.unpack("<QQQ", bytes(buf[at + 8 : at + 32]))


@pytest.fixture
def zoned(nvme0, qpair):
    space = d.Namespace(nvme0, ZONED)
    space.zns_mgmt_send(qpair, None, 0, RESET, all=True).waitdone()
    return space


def test_a_report_of_zones(zoned, qpair):
    assert zoned.supports(0x79)
    assert zoned.supports(0x7A)
    header = d.Buffer(64)
    zoned.zns_mgmt_receive(qpair, header, 0, extended=False, partial=False).waitdone()
    assert header.data(7, 0) == zoned.capacity // ZONE
    assert list(zones(zoned, qpair, slba=ZONE, count=2)) == [
        (EMPTY, ZONE_CAPACITY, ZONE, ZONE),
        (EMPTY, ZONE_CAPACITY, 2 * ZONE, 2 * ZONE),
    ]


def test_the_life_of_a_zone(zoned, qpair, recwarn):
    lba = zoned.sector_size
    data = d.Buffer(8 * lba)

    def state(slba=0):
        return next(zones(zoned, qpair, slba, 1))[::3]

    def status():
        texts = [str(warning.message) for warning in recwarn]
        recwarn.clear()
        return texts

    zoned.write(qpair, data, 0, 8).waitdone()
    assert state() == (IMPLICITLY_OPEN, 8)
    zoned.write(qpair, data, 16, 8).waitdone()
    assert status() == ["ERROR status: 01/bc"]  # Zone Invalid Write
    zoned.zns_mgmt_send(qpair, None, 0, CLOSE).waitdone()
    assert state() == (CLOSED, 8)
    zoned.zns_mgmt_send(qpair, None, 0, OPEN).waitdone()
    assert state() == (EXPLICITLY_OPEN, 8)
    # Zone Append tells where the data went (§3.4.1).
    zoned.send_cmd(ZONE_APPEND, qpair, data, ZONED, cdw12=7)
    assert qpair.waitdone() == 8
    assert state() == (EXPLICITLY_OPEN, 16)
    zoned.zns_mgmt_send(qpair, None, 0, FINISH).waitdone()
    assert state()[0] == FULL
    zoned.write(qpair, data, 16, 8).waitdone()
    assert status() == ["ERROR status: 01/b9"]  # Zone Is Full
    zoned.zns_mgmt_send(qpair, None, 0, OPEN).waitdone()
    assert status() == ["ERROR status: 01/bf"]  # Invalid Zone State Transition
    assert len(list(zones(zoned, qpair, 0, 4, state=5))) == 1  # the Full ones
    zoned.zns_mgmt_send(qpair, None, 0, RESET).waitdone()
    assert state() == (EMPTY, 0)
    assert status() == []


def test_a_worker_fills_a_zone(zoned, qpair):
    assert zoned.verify_enable()
    region = {"region_start": ZONE, "region_end": ZONE + ZONE_CAPACITY, "lba_random": False}
    for read_percentage in (0, 100):
        worker = zoned.ioworker(io_size=16, read_percentage=read_percentage, qdepth=2, **region)
        assert worker.start().close().error == 0
    assert next(zones(zoned, qpair, ZONE, 1))[0] == FULL


# --- metadata (NVM Command Set 1.0 §5.2) ----------------------------------------------------------


def test_metadata_at_the_end_of_each_lba(nvme0, qpair):
    space = d.Namespace(nvme0, EXTENDED)
    assert space.sector_size == 512
    data, again = d.Buffer(4 * 520, pvalue=100, ptype=0xBEEF), d.Buffer(520)
    space.send_cmd(WRITE, qpair, data, EXTENDED, cdw10=10, cdw12=3).waitdone()
    for number in range(4):
        space.read(qpair, again, 10 + number).waitdone()
        assert again[:] == data[520 * number : 520 * number + 520]


# The bytes of data, and those from one LBA to the next in the Buffer of read() and write(): where
# metadata are protection information alone, the controller makes them and takes them away.
STRIDES = {
    EXTENDED: (512, 520),
    PROTECTED: (512, 512),
    SEPARATE: (512, 512),
    APART_PROTECTED: (512, 512),
    APART_16: (512, 512),
    PROTECTED_IN_16: (512, 528),
    GUARD_64: (4096, 4096),
}


@pytest.fixture(params=STRIDES)
def space(nvme0, request):
    space = d.Namespace(nvme0, request.param)
    assert space.sector_size == STRIDES[request.param][0]
    assert space.verify_enable()
    return space


def flip(nvme0, space, lba):
    """A bit of byte 100, by a queue that is made by hand and that nobody follows."""
    cq, data, metadata = IOCQ(nvme0, 5, 8, PRP()), PRP(), PRP()
    sq = IOSQ(nvme0, 5, 8, PRP(), cqid=5)
    pract = space.nsid in (PROTECTED, APART_PROTECTED, PROTECTED_IN_16, GUARD_64)
    for place, opcode in enumerate((READ, WRITE)):
        command = SQE(opcode, space.nsid)
        command.cid = place
        command.prp1, command.mptr = data, metadata
        command[10], command[12] = lba, pract << 29
        command[14] = lba if space.nsid != PROTECTED_IN_16 else 0  # of type 3
        sq[place] = command
        sq.tail = place + 1
        while CQE(cq[place]).p == 0:
            pass
        assert CQE(cq[place]).status == 0
        cq.head = place + 1
        data[100] ^= 4
    sq.delete()
    cq.delete()


def test_data_are_verified_where_lbas_have_metadata(nvme0, space, qpair, recwarn):
    size, stride = STRIDES[space.nsid]
    data, one = d.Buffer(4 * stride, pvalue=100, ptype=0xBEEF), d.Buffer(stride)
    space.write(qpair, data, 10, 4).waitdone()
    for number in range(4):
        space.read(qpair, one, 10 + number).waitdone()
        assert one[:size] == data[stride * number : stride * number + size]
        assert one.data(7, 0) == 10 + number  # the stamp
    assert not recwarn.list
    flip(nvme0, space, 12)
    with pytest.warns(UserWarning, match="07/81: LBA 0xc: the data are not what was written last"):
        space.read(qpair, data, 10, 4).waitdone()
    report = d.forensics.last()
    assert (report.classification, report.lba, report.bad_lbas) == ("bit_flips", 12, [12])
    assert report.flips == [(100, 4)]  # byte of the LBA's data, mask


def test_zeroes_where_lbas_have_metadata(space, qpair, recwarn):
    size, stride = STRIDES[space.nsid]
    data = d.Buffer(4 * stride, pvalue=100, ptype=0xBEEF)
    space.write(qpair, data, 100, 4).waitdone()
    space.write_zeroes(qpair, 101, 2).waitdone()
    space.read(qpair, data, 100, 4).waitdone()
    assert not any(data[stride : stride + size])
    assert data.data(3 * stride + 7, 3 * stride) == 103
    assert not recwarn.list


@pytest.mark.parametrize("nsid", [EXTENDED, SEPARATE, APART_16])
def test_compare_where_lbas_have_metadata(nvme0, qpair, recwarn, nsid):
    space = d.Namespace(nvme0, nsid)
    _, stride = STRIDES[nsid]
    data = d.Buffer(4 * stride, pvalue=100, ptype=0xBEEF)
    space.write(qpair, data, 200, 4).waitdone()
    space.compare(qpair, data, 200, 4).waitdone()
    assert not recwarn.list
    data[3 * stride + 100] ^= 1
    with pytest.warns(UserWarning, match="ERROR status: 02/85"):
        space.compare(qpair, data, 200, 4).waitdone()


def test_workers_where_lbas_have_metadata(nvme0, space):
    # QEMU has no protection information for LBAs that were never written, beside others that were.
    fill = {"io_size": 8, "lba_random": False, "region_start": 1000, "region_end": 1400}
    assert space.ioworker(read_percentage=0, **fill).start().close().error == 0
    mixed = fill | {"io_size": [1, 7, 8], "lba_random": True}
    result = space.ioworker(read_percentage=40, io_count=300, **mixed).start().close()
    assert result.error == 0
    assert (result.io_count_read, result.io_count_write) == (120, 180)
    operations = {READ: 50, WRITE: 30, 8: 10, 0xC: 10}  # Write Zeroes, Verify
    assert space.ioworker(op_percentage=operations, io_count=100, **fill).start().close().error == 0
    assert space.ioworker(read_percentage=0, **fill).start().close().error == 0
    flip(nvme0, space, 1234)
    with pytest.warns(UserWarning, match="07/81: Read .*LBA 0x4d2: the data are not what was"):
        assert space.ioworker(**fill).start().close().error == -6
    report = d.forensics.last()
    assert (report.classification, report.lba) == ("bit_flips", 1234)
    assert report.flips == [(100, 4)]


def test_what_the_kernels_driver_wrote_and_what_it_will_read(space, qpair, recwarn):
    """By nvme-cli: LBAs 3000 to 3003, and 4000 to 4003."""
    size, stride = STRIDES[space.nsid]
    buf = d.Buffer(4 * stride)
    space.read(qpair, buf, 3000, 4).waitdone()
    for number in range(4):
        assert bytes(buf[stride * number : stride * number + size]) == bytes([0x30 + number]) * size
    for number in range(4):
        buf[stride * number : stride * (number + 1)] = bytes([0x40 + number]) * stride
    space.write(qpair, buf, 4000, 4).waitdone()
    assert not recwarn.list


def test_a_guard_that_stamps_make_wrong(nvme0, qpair):
    protected = d.Namespace(nvme0, PROTECTED)
    with pytest.raises(AssertionError, match=r"stamps every LBA.*PRACT.*send_cmd"):
        protected.write(qpair, d.Buffer(520), 0, io_flags=0x1000)
    protected.write(qpair, d.Buffer(512), 0, io_flags=0x3000).waitdone()


def crc16(data):
    """T10 DIF (NVM Command Set 1.0 §5.2.1.1)."""
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ (0x8BB7 if crc & 0x8000 else 0)) & 0xFFFF
    return crc


def test_protection_information(nvme0, qpair, recwarn):
    """Type 1: guard, application tag, reference tag, in the first bytes of the metadata."""
    space = d.Namespace(nvme0, PROTECTED)
    pract, guard, reference = 1 << 29, 1 << 28, 1 << 26  # PRINFO in CDW12
    checked = guard | reference
    buf = d.Buffer(520, pvalue=100, ptype=0xBEEF)

    def send(opcode, bits, tag=7, memory=buf):
        space.send_cmd(opcode, qpair, memory, PROTECTED, cdw10=7, cdw12=bits, cdw14=tag).waitdone()
        texts = [str(warning.message) for warning in recwarn]
        recwarn.clear()
        return texts

    buf[512:520] = struct.pack(">HHI", crc16(bytes(buf[:512])), 0x1234, 7)
    assert send(WRITE, checked) == []
    assert send(READ, checked) == []
    # Of type 1 the expected reference tag is the address (NVM Command Set 1.0 §5.2.3).
    assert send(READ, checked, tag=8) == ["ERROR status: 01/81"]  # Invalid Protection Information
    buf[519] = 8
    assert send(WRITE, 0) == []
    assert send(READ, guard) == []
    assert send(READ, checked) == ["ERROR status: 02/84"]  # Reference Tag Check Error
    buf[519] = 7
    buf[512] ^= 1
    assert send(WRITE, checked) == ["ERROR status: 02/82"]  # Guard Check Error
    # The controller makes it, and takes it away (PRACT): LBAs of 512 bytes are transferred.
    stripped = d.Buffer(512, pvalue=100, ptype=0xBEEF)
    assert send(WRITE, checked | pract, memory=stripped) == []
    assert send(READ, checked) == []
    assert bytes(buf[512:520]) == struct.pack(">HHI", crc16(bytes(stripped[:])), 0, 7)


def test_metadata_of_its_own_buffer(nvme0):
    """MPTR, with a queue made by hand."""
    cq, data, metadata = IOCQ(nvme0, 1, 8, PRP()), PRP(), PRP()
    sq = IOSQ(nvme0, 1, 8, PRP(), cqid=1)
    data[:1024] = bytes(range(256)) * 4
    metadata[:16] = b"metadata of two."
    for place, opcode in enumerate((WRITE, READ)):
        command = SQE(opcode, SEPARATE)
        command.cid = place
        command.prp1, command.mptr = data, metadata
        command[10], command[12] = 20, 1
        sq[place] = command
        sq.tail = place + 1
        while CQE(cq[place]).p == 0:
            pass
        assert CQE(cq[place]).status == 0
        cq.head = place + 1
        if opcode == WRITE:
            data[:1024] = bytes(1024)
            metadata[:16] = bytes(16)
    assert bytes(data[:1024]) == bytes(range(256)) * 4
    assert bytes(metadata[:16]) == b"metadata of two."
    sq.delete()
    cq.delete()
