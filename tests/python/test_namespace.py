import warnings

import pytest

import nvme as d


@pytest.fixture(autouse=True)
def _warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_properties(nvme0n1):
    assert nvme0n1.nsid == 1
    assert nvme0n1.capacity == nvme0n1.id_data(7, 0)
    assert nvme0n1.sector_size == 512
    assert nvme0n1.supports(2)
    assert not nvme0n1.supports(0xC1)
    assert nvme0n1.cmdname(2) == "Read"


@pytest.mark.parametrize("nsid", [0, -1, 0xFFFFFFFF, 2])
def test_namespaces_that_are_not_there(nvme0, nsid):
    with pytest.raises(d.NamespaceCreationError):
        d.Namespace(nvme0, nsid)


def test_write_stamps_the_buffer(nvme0n1, qpair):
    buf = d.Buffer(1024)
    buf[8:20] = b"hello world!"
    nvme0n1.write(qpair, buf, 0x1234, 2).waitdone()
    token = buf.data(511, 504)
    assert buf.data(7, 0) == 0x1234
    assert buf.data(519, 512) == 0x1235
    assert buf.data(1023, 1016) == token + 1
    assert buf[8:20] == b"hello world!"
    other = d.Buffer(1024)
    nvme0n1.read(qpair, other, 0x1234, 2).waitdone()
    assert other[:] == buf[:]
    nvme0n1.write(qpair, buf, 0, 2).waitdone()
    assert buf.data(511, 504) == token + 2


def test_raw_writes_are_not_stamped(nvme0n1, qpair):
    buf = d.Buffer(512, pvalue=0x11223344, ptype=32)
    nvme0n1.send_cmd(1, qpair, buf, 1, 5).waitdone()
    other = d.Buffer(512)
    nvme0n1.read(qpair, other, 5).waitdone()
    assert other[:] == bytes.fromhex("44332211") * 128


def test_a_buffer_at_an_offset(nvme0n1, qpair):
    buf = d.Buffer(8192)
    buf.offset = 3 * 4
    nvme0n1.write(qpair, buf, 7, 8).waitdone()
    other = d.Buffer(8192)
    other.offset = 4096 - 4
    nvme0n1.read(qpair, other, 7, 8).waitdone()
    assert other[4092:8188] == buf[12:4108]
    assert other[:4092] == bytes(4092)


def test_compare(nvme0n1, qpair):
    buf = d.Buffer(512)
    nvme0n1.write(qpair, buf, 3).waitdone()
    nvme0n1.compare(qpair, buf, 3).waitdone()
    buf[100] = 1
    with pytest.warns(UserWarning, match="^ERROR status: 02/85$"):
        nvme0n1.compare(qpair, buf, 3).waitdone()


def test_trim_zeroes_and_flush(nvme0n1, qpair):
    buf = d.Buffer(512, pvalue=1)
    zeroes = d.Buffer(512)
    ranges = d.Buffer(4096)
    nvme0n1.write(qpair, buf, 8).waitdone()
    ranges.set_dsm_range(0, 8, 1)
    nvme0n1.dsm(qpair, ranges, 1).waitdone()
    nvme0n1.compare(qpair, zeroes, 8).waitdone()
    nvme0n1.write(qpair, buf, 9).waitdone()
    nvme0n1.write_zeroes(qpair, 9).waitdone()
    nvme0n1.compare(qpair, zeroes, 9).waitdone()
    nvme0n1.flush(qpair).waitdone()
    nvme0n1.verify(qpair, 8, 2).waitdone()


def test_uncorrectable(nvme0n1, qpair):
    nvme0n1.write_uncorrectable(qpair, 4).waitdone()
    with pytest.warns(UserWarning, match="ERROR status: 02/81"):
        nvme0n1.read(qpair, d.Buffer(512), 4).waitdone()
    nvme0n1.write(qpair, d.Buffer(512), 4).waitdone()
    nvme0n1.read(qpair, d.Buffer(512), 4).waitdone()


def test_lba_past_the_end(nvme0n1, qpair):
    with pytest.warns(UserWarning, match="ERROR status: 00/80"):
        nvme0n1.read(qpair, d.Buffer(512), nvme0n1.capacity).waitdone()


def test_fused_compare_and_write(nvme0n1, qpair):
    buf = d.Buffer(512)
    nvme0n1.write(qpair, buf, 8).waitdone()
    data = d.Buffer(512, pvalue=1)
    nvme0n1.send_cmd(5 | 1 << 8, qpair, buf, 1, 8, 0, 0)
    nvme0n1.send_cmd(1 | 1 << 9, qpair, data, 1, 8, 0, 0)
    qpair.waitdone(2)
    nvme0n1.compare(qpair, data, 8).waitdone()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((None, 0), "Read needs a Buffer, not None"),
        ((d.Buffer(512), 0, 2), "Read transfers 1024 bytes, but the Buffer 'buffer' has 512"),
        ((d.Buffer(512), -1), "lba = -1 is not in 0..18446744073709551615"),
        ((d.Buffer(512), 1 << 64), "lba = 18446744073709551616 is not in"),
        ((d.Buffer(512), 0, 0), "lba_count = 0 is not in 1..65536"),
        ((d.Buffer(512), "0"), "lba must be an integer, not str"),
        ((d.Buffer(512), 0, 1, 0x12345), "io_flags = 74565"),
    ],
)
def test_wrong_arguments_send_nothing(nvme0n1, qpair, arguments, text):
    with pytest.raises(AssertionError) as caught:
        nvme0n1.read(qpair, *arguments)
    assert text in str(caught.value)
    with pytest.raises(TimeoutError):
        qpair.waitdone()


def test_verification_finds_a_raw_write(nvme0n1, qpair, verify):
    assert verify
    buf = d.Buffer(512)
    nvme0n1.write(qpair, buf, 0x77).waitdone()
    nvme0n1.read(qpair, buf, 0x77).waitdone()
    raw = d.Buffer(512, pvalue=1)
    nvme0n1.send_cmd(1, qpair, raw, 1, 0x77).waitdone()
    statuses = []
    with pytest.warns(UserWarning, match="^ERROR status: 07/81: LBA 0x77: "):
        nvme0n1.read(qpair, buf, 0x77, cb=lambda cdw0, status1: statuses.append(status1)).waitdone()
    assert statuses[0] >> 1 & 0x7FF == 0x781
    nvme0n1.verify_enable(False)
    nvme0n1.read(qpair, buf, 0x77).waitdone()


def test_verification_knows_trimmed_and_unwritten_lbas(nvme0n1, qpair, verify):
    buf = d.Buffer(512)
    nvme0n1.read(qpair, buf, 1000).waitdone()
    nvme0n1.write(qpair, buf, 1000).waitdone()
    ranges = d.Buffer(4096)
    ranges.set_dsm_range(0, 1000, 1)
    nvme0n1.dsm(qpair, ranges, 1).waitdone()
    nvme0n1.read(qpair, buf, 1000).waitdone()


def test_commands_in_flight_on_one_lba_are_kept_apart(nvme0n1, verify):
    slow = d.Controller(d.Ssd(capacity="1GiB"))
    namespace = d.Namespace(slow)
    namespace.verify_enable()
    qpair = d.Qpair(slow, 16)
    first, second, result = d.Buffer(512), d.Buffer(512), d.Buffer(512)
    second[100] = 1
    namespace.write(qpair, first, 5)
    namespace.write(qpair, second, 5)
    namespace.read(qpair, result, 5)
    qpair.waitdone(3)
    assert result[:] == second[:]
    slow.close()


def test_one_buffer_for_many_writes(qpair, nvme0n1, verify):
    slow = d.Controller(d.Ssd(capacity="1GiB"))
    namespace = d.Namespace(slow)
    namespace.verify_enable()
    qpair = d.Qpair(slow, 16)
    buf = d.Buffer(512)
    for lba in range(8):
        namespace.write(qpair, buf, lba)
    qpair.waitdone(8)
    for lba in range(8):
        namespace.read(qpair, buf, lba).waitdone()
        assert buf.data_head == lba
    slow.close()


def test_format_by_namespace(nvme0, nvme0n1, verify):
    qpair = d.Qpair(nvme0, 8)
    buf = d.Buffer(4096)
    nvme0n1.write(qpair, buf, 0).waitdone()
    nvme0n1.format(4096)
    assert nvme0n1.sector_size == 4096
    assert nvme0n1.capacity == nvme0n1.id_data(7, 0)
    nvme0n1.read(qpair, buf, 0).waitdone()
    assert buf[:] == bytes(4096)
    nvme0n1.write(qpair, buf, 1).waitdone()
    assert buf.data(7, 0) == 1
    with pytest.raises(AssertionError, match="no LBA format of 520 bytes"):
        nvme0n1.format(520)


def test_format_by_controller(nvme0, nvme0n1):
    assert nvme0n1.get_lba_format(123) is None
    nvme0.format(nvme0n1.get_lba_format(4096, 0)).waitdone()
    assert nvme0n1.sector_size == 4096
    qpair = d.Qpair(nvme0, 8)
    with pytest.raises(AssertionError, match="transfers 4096 bytes"):
        nvme0n1.read(qpair, d.Buffer(512), 0)


def test_unsupported_commands_are_sent_all_the_same(nvme0n1, qpair):
    buf = d.Buffer(4096)
    for send in (
        lambda: nvme0n1.zns_mgmt_receive(qpair, buf),
        lambda: nvme0n1.zns_mgmt_send(qpair, buf),
        lambda: nvme0n1.send_cmd(0xFF, qpair, buf, 1, 1, 2, 3),
    ):
        with pytest.warns(UserWarning, match="ERROR status: 00/01"):
            send().waitdone()


def test_closed_namespace(nvme0n1, qpair):
    nvme0n1.close()
    with pytest.raises(AssertionError, match=r"namespace 1 of .* is closed"):
        nvme0n1.read(qpair, d.Buffer(512), 0)


def test_two_objects_of_one_namespace_agree(nvme0, nvme0n1, qpair, verify):
    other = d.Namespace(nvme0)
    buf = d.Buffer(512)
    nvme0n1.write(qpair, buf, 0).waitdone()
    other.write(qpair, buf, 0).waitdone()
    nvme0n1.read(qpair, buf, 0).waitdone()


def test_a_deleted_namespace_is_not_there_though_an_object_of_it_is():
    nvme0 = d.Controller(d.Ssd(capacity="2GiB", namespaces=2, latency=0))
    nvme0n2 = d.Namespace(nvme0, 2)
    nvme0.send_cmd(0x0D, nsid=2, cdw10=1).waitdone()  # Namespace Management: delete
    with pytest.raises(d.NamespaceCreationError, match="not active"):
        d.Namespace(nvme0, 2)
    nvme0n2.close()
    nvme0.close()
