import gc
import weakref

import numpy
import pytest

import nvme as d


def test_example_of_the_documents():
    b = d.Buffer(1024, "example")
    b[0] = 0x5A
    b[1:3] = [1, 2]
    b[4:] = [10, 11, 12, 13]
    assert b[:8:2] == b"Z\x02\n\x0c"
    assert b.data(2) == 2
    assert b[2] == 2
    assert b.data(2, 0) == 0x02015A
    assert len(b) == 1024
    assert repr(b) == "<buffer name: example>"
    b[8:] = b"xyc"
    assert b.dump(16) == (
        "example\n00000000  5a 01 02 00 0a 0b 0c 0d  78 79 63 00 00 00 00 00   Z.......xyc....."
    )


def test_dump_prints_what_it_returns(capsys):
    text = d.Buffer(20).dump()
    assert capsys.readouterr().out == text + "\n"
    assert text.splitlines()[2] == "00000010  00 00 00 00" + " " * 40 + "...."


def test_set_dsm_range_as_documented():
    b = d.Buffer(64)
    b.set_dsm_range(1, 0x1234567887654321, 0xABCDEF12)
    assert b[16:32] == bytes.fromhex("00000000 12efcdab 2143658778563412")
    b.set_dsm_range(0, 1, 2, 3)
    assert b[0:16] == bytes.fromhex("03000000 02000000 0100000000000000")
    with pytest.raises(IndexError, match="range 4"):
        b.set_dsm_range(4, 0, 1)
    with pytest.raises(AssertionError, match=r"lba_count = 4294967296 is not in 0\.\.4294967295"):
        b.set_dsm_range(0, 0, 1 << 32)


@pytest.mark.parametrize(
    ("pvalue", "ptype", "expected"),
    [
        (0, 0, bytes(16)),
        (1, 0, b"\xff" * 16),
        (0x12345678, 32, bytes.fromhex("78563412") * 4),
        (0, 0xBEEF, bytes(16)),
    ],
)
def test_patterns(pvalue, ptype, expected):
    assert d.Buffer(16, "pattern", pvalue, ptype)[:] == expected


@pytest.mark.parametrize("size", [16, 64, 100, 512, 4096])
@pytest.mark.parametrize("pvalue", [25, 50, 100])
def test_per_cent_of_random_bytes(size, pvalue):
    d.srand(5)
    zeroes = d.Buffer(size, ptype=0xBEEF, pvalue=pvalue)[:].count(0)
    expected = size - size * pvalue // 100
    assert expected <= zeroes <= expected + size // 10 + 1  # a random byte may be zero


def test_random_pattern_follows_the_seed():
    def contents(seed):
        d.srand(seed)
        return d.Buffer(4096, pvalue=100, ptype=0xBEEF)[:]

    assert contents(7) == contents(7)
    assert contents(7) != contents(8)
    assert contents(7).count(0) < 100
    half = d.Buffer(4096, pvalue=50, ptype=0xBEEF)[:]
    assert 2048 <= half.count(0) < 2200


@pytest.mark.parametrize(
    "arguments", [(0,), (-1,), (1 << 33,), (16, "b", 2, 0), (16, "b", 101, 0xBEEF), (16, "b", 0, 5)]
)
def test_wrong_arguments(arguments):
    with pytest.raises(AssertionError) as caught:
        d.Buffer(*arguments)
    assert isinstance(caught.value, ValueError)


def test_wrong_type_is_also_a_type_error():
    with pytest.raises(TypeError, match="size must be an integer, not float"):
        d.Buffer(1.5)
    with pytest.raises(AssertionError, match="size must be an integer, not str"):
        d.Buffer("4096")


def test_index():
    b = d.Buffer(16)
    b[-1] = 7
    assert b[15] == 7
    assert b[numpy.int64(15)] == 7
    for index in (16, -17, 1 << 70):
        with pytest.raises((IndexError, AssertionError)):
            b[index]
    with pytest.raises(IndexError):
        b[16] = 1
    with pytest.raises(AssertionError, match=r"byte value = 256 is not in 0\.\.255"):
        b[0] = 256


def test_slices():
    b = d.Buffer(16)
    b[:] = range(16)
    assert b[::-1] == bytes(range(15, -1, -1))
    assert b[2:8, 4] == bytes([4, 5, 6, 7])  # the oldest form: bytes begin..stop-1
    b[0:8:2] = b"\xff\xff"
    assert b[:6] == bytes([255, 1, 255, 3, 4, 5])
    b[8:12] = 0xAA
    assert b[7:13] == bytes([7, 0xAA, 0xAA, 0xAA, 0xAA, 12])
    b[0:2] = memoryview(b"ab")
    assert b[0:2] == b"ab"
    for part in (slice(0, 17), slice(20, None), slice(-17, None)):
        with pytest.raises(IndexError):
            b[part]
    with pytest.raises(IndexError, match="3 bytes for a slice of 2"):
        b[0:2] = b"abc"
    with pytest.raises(AssertionError, match="takes bytes, not str"):
        b[0:2] = "ab"


def test_data():
    b = d.Buffer(32)
    b[0:16] = bytes(range(1, 17))
    assert b.data(15, 0) == int.from_bytes(bytes(range(1, 17)), "little")
    assert b.data(3, 2, bytes) == b"\x03\x04"
    b[16:20] = b"abc\xff"
    assert b.data(19, 16, str) == "abc\ufffd"
    with pytest.raises(IndexError):
        b.data(32)
    with pytest.raises(AssertionError, match="byte_begin = 3 is behind byte_end = 2"):
        b.data(2, 3)
    with pytest.raises(AssertionError, match="type must be int, str or bytes"):
        b.data(2, 0, float)


def test_offset_and_size():
    b = d.Buffer(4096)
    address = b.phys_addr
    b[100] = 0x42
    b.offset = 100
    assert b[100] == 0x42
    assert b.phys_addr == address + 100
    assert (b.size, len(b)) == (3996, 4096)
    b.size = 512
    assert (b.size, len(b)) == (512, 612)
    with pytest.raises(IndexError, match="of 612 bytes"):
        b[612]
    b[100:108] = [1, 2, 3, 4, 5, 6, 7, 8]
    assert b.data_head == 0x0807060504030201
    b.set_dsm_range(1, 8, 9)
    assert b[120:124] == b"\x09\0\0\0"
    b.offset = 0
    assert (b.size, len(b)) == (512, 512)
    with pytest.raises(AssertionError, match="offset = 4096"):
        b.offset = 4096
    with pytest.raises(AssertionError, match="size = 4097"):
        b.size = 4097


def test_views_share_the_memory():
    b = d.Buffer(4096)
    array = numpy.frombuffer(b, dtype="<u4")
    array[1] = 0x01020304
    assert b[4:8] == b"\x04\x03\x02\x01"
    view = memoryview(b)
    del b
    gc.collect()
    assert view[4] == 4


def test_head_and_tail():
    b = d.Buffer(512)
    b[0:8] = (5).to_bytes(8, "little")
    b[504:] = (9).to_bytes(8, "little")
    assert (b.data_head, b.data_tail) == (5, 9)
    b.name = "other"
    assert b.name == "other"


def test_a_buffer_dies_with_its_last_reference():
    b = d.Buffer(4096)
    reference = weakref.ref(b)
    del b
    assert reference() is None
