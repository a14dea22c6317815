"""Wrong arguments: an AssertionError that is a ValueError as well, naming the argument; and numpy's
numbers and arrays wherever Python's would do."""

import inspect

import numpy as np
import pytest

import nvme as d

WRONG = {
    "Controller(5)": "5 names no device",
    "Controller(None)": "None names no device",
    "Controller('sim', 5)": "nvme_init_func must be None, True or callable",
    "Namespace(None)": r"Namespace\(\): nvme must be a Controller, not NoneType \(None\)",
    "Namespace(nvme0, None)": r"Namespace\(\): nsid must be an integer, not NoneType",
    "Namespace(nvme0, 1.0)": "nsid must be an integer, not float",
    "Qpair('sim', 8)": r"Qpair\(\): nvme must be a Controller, not str \('sim'\)",
    "Qpair(nvme0, depth='x')": r"depth must be an integer, not str \('x'\)",
    "Qpair(nvme0)": r"Qpair\(\): depth is missing",
    "Qpair(nvme0, 8, ien='no')": r"Qpair\(\): ien must be True or False, not str",
    "Subsystem(5)": "nvme must be a Controller, not int",
    "Pcie(None)": "None names no device",
    "Buffer(None)": r"Buffer\(\): size must be an integer, not NoneType",
    "Buffer(512, name=5)": r"Buffer\(\): name must be a str, not int \(5\)",
    "srand('x')": r"seed must be an integer, not str \('x'\)",
    "srand(-1)": r"seed = -1 is not in 0\.\.18446744073709551615",
    "nvme0n1.read(qpair, 'abc', 0)": r"read\(\): buf must be a Buffer or None, not str \('abc'\)",
    "nvme0n1.read(None, buf, 0)": r"read\(\): qpair must be a Qpair, not NoneType",
    "nvme0n1.read(qpair, buf, None)": r"read\(\): lba must be an integer, not NoneType",
    "nvme0n1.read(qpair, buf, [0])": r"lba must be an integer, not list \(\[0\]\)",
    "nvme0n1.read(qpair, buf)": r"read\(\): lba is missing",
    "nvme0n1.read(qpair, buf, 0, lbas=1)": r"read\(\): there is no argument 'lbas'; there is qpair",
    "nvme0n1.read(qpair, buf, 0, lba=0)": r"read\(\): lba is given twice",
    "nvme0n1.flush(qpair, None, None)": r"flush\(\): at most 2 arguments, not 3",
    "nvme0n1.read(qpair, buf, 0, cb=5)": "cb must be callable or None, not int",
    "nvme0n1.dsm(qpair, None, 1)": "Dataset Management needs a Buffer",
    "nvme0n1.verify_enable('x')": r"verify_enable\(\): enable must be True or False, not str",
    "nvme0n1.format('512')": "data_size must be an integer, not str",
    "nvme0n1.id_data('7')": "byte_end must be an integer, not str",
    "nvme0n1.id_data(7, 0, float)": "type must be int, str or bytes",
    "nvme0.id_data(7, 0, int, '1')": "nsid must be an integer, not str",
    "nvme0.id_data(7, 0, cns=256)": r"cns = 256 is not in 0\.\.255",
    "nvme0.identify(5)": r"identify\(\): buf must be a Buffer or None, not int",
    "nvme0.getlogpage(2, None)": r"getlogpage\(\): buf must be a Buffer, not NoneType",
    "nvme0.getfeatures(None)": r"getfeatures\(\): fid must be an integer, not NoneType",
    "nvme0.waitdone(None)": r"waitdone\(\): expected must be an integer, not NoneType",
    "nvme0.supports('x')": "opcode must be an integer, not str",
    "nvme0.downfw(5)": "filename must be a path, not int",
    "nvme0['x']": "offset must be an integer, not str",
    "nvme0[None]": "offset must be an integer, not NoneType",
    "setattr(nvme0, 'timeout', None)": "value must be an integer, not NoneType",
    "setattr(buf, 'size', '5')": "size must be an integer, not str",
    "setattr(buf, 'name', 5)": "value must be a str, not int",
    "buf.dump('x')": "size must be an integer, not str",
    "buf.dump(5000)": r"size = 5000 is not in 0\.\.4096",
    "buf[None]": "index must be an integer, not NoneType",
    "buf.__setitem__(0, 256)": r"byte value = 256 is not in 0\.\.255",
    "buf.__setitem__(slice(0, 4), 1.5)": "a slice of a Buffer takes an int, bytes or ints, not",
    "buf.__setitem__(slice(0, 4), 'abc')": "a Buffer takes bytes, not str",
    "nvme0n1.ioworker(io_count=1, distribution=5)": "distribution must be a list of integers",
    "nvme0n1.ioworker(io_count=1, distribution='5')": "distribution must be a list of integers",
    "nvme0n1.ioworker(io_size=None, io_count=1)": "io_size must be an integer, not NoneType",
    "nvme0n1.ioworker(time=float('nan'))": "time = nan is no number of seconds",
    "nvme0n1.ioworker(time=None)": "time must be a number of seconds, not NoneType",
    "nvme0n1.ioworker(io_sequence=5)": r"io_sequence must be a list of \(time_us, opcode, slba",
    "nvme0n1.ioworker(io_sequence=[5])": r"io_sequence\[0\] must be \(time_us, opcode, slba, nlb",
    "nvme0n1.ioworker(io_sequence=[(0, 2, 0)])": r"io_sequence\[0\] must be \(time_us, opcode",
    "nvme0n1.ioworker(io_sequence=[(0, 2, 0, 8), (0, 2, 'x', 8)])": r"io_sequence\[1\]: slba must",
    "nvme0n1.ioworker(io_sequence=[(0, 256, 0, 8)])": r"io_sequence\[0\]: opcode = 256",
    "nvme0n1.ioworker(output_percentile_latency={101: None})": "101 is no percentile in",
    "nvme0n1.ioworker(output_percentile_latency={'9': None})": "'9' is no percentile in",
    "nvme0n1.ioworker(io_count=1, output_io_per_second={})": "output_io_per_second must be a list",
}


@pytest.mark.parametrize("call", WRONG)
def test_wrong_argument(nvme0, nvme0n1, qpair, call):
    names = {"nvme0": nvme0, "nvme0n1": nvme0n1, "qpair": qpair, "buf": d.Buffer(4096)}
    expression = f"d.{call}" if call[0].isupper() or call.startswith("srand") else call
    with pytest.raises(AssertionError, match=WRONG[call]) as caught:
        eval(expression, {"d": d} | names)
    assert isinstance(caught.value, ValueError)
    with pytest.raises(TimeoutError):  # nothing was sent
        qpair.waitdone()
    with pytest.raises(TimeoutError):
        nvme0.waitdone()


def test_an_error_inside_of_a_call_stays_what_it_is(nvme0n1, qpair):
    class Broken:
        def __index__(self):
            raise TypeError("this has no index")

    with pytest.raises(AssertionError, match="lba must be an integer, not Broken"):
        nvme0n1.read(qpair, d.Buffer(512), Broken())
    with pytest.raises(ZeroDivisionError):
        d.Buffer(512)[:4] = (1 // zero for zero in (1, 0))


@pytest.mark.parametrize("integer", [np.int8, np.uint8, np.int32, np.uint32, np.int64, np.uint64])
def test_integers_of_numpy(nvme0, nvme0n1, qpair, integer):
    one = integer(1)
    buf = d.Buffer(integer(64) * integer(1))
    assert len(buf) == 64
    buf = d.Buffer(4096)
    buf[one] = integer(7)
    buf[integer(2) : integer(4)] = integer(5)
    assert buf[:5] == b"\x00\x07\x05\x05\x00"
    assert buf.data(integer(3), one) == 0x050507
    assert nvme0n1.write(qpair, buf, one, lba_count=one).waitdone(one) == 0
    assert buf.data_head == 1
    assert nvme0.getfeatures(integer(7)).waitdone() == nvme0.getfeatures(7).waitdone()
    assert nvme0.id_data(integer(7), integer(4)) == nvme0.id_data(7, 4)
    assert nvme0[integer(0)] == nvme0[0]
    assert nvme0.supports(integer(6))
    d.srand(one)
    worker = nvme0n1.ioworker(
        io_size=integer(8), lba_align=integer(8), qdepth=integer(4), io_count=integer(10)
    )
    assert worker.start().close().io_count_read == 10


def test_bools_of_numpy_and_older_scripts(nvme0, nvme0n1):
    assert nvme0n1.verify_enable(np.bool_(True)) is True
    assert nvme0n1.verify_enable(1) is True
    qpair = d.Qpair(nvme0, 8, ien=0)
    with pytest.raises(AssertionError, match="ien=False"):
        qpair.msix_clear()
    worker = nvme0n1.ioworker(lba_random=np.bool_(False), io_count=8, output_cmdlog_list=[None] * 8)
    with worker:
        pass
    assert worker.close().io_count_read == 8


def test_arrays_of_numpy_for_an_ioworker(nvme0n1):
    distribution = np.zeros(100, dtype=np.int64)
    distribution[0] = 10000
    percentiles = {np.float64(50): None, np.float32(99): None, 100: None}
    sequence = np.array([(0, 2, 0, 8), (10, 2, 8, 8)])
    r = (
        nvme0n1.ioworker(
            io_size=np.array([1, 8]),
            io_count=100,
            time=np.float32(10),
            distribution=distribution,
            output_percentile_latency=percentiles,
        )
        .start()
        .close()
    )
    assert (r.error, r.io_count_read) == (0, 100)
    assert all(value is not None for value in percentiles.values())
    commands = [None] * 2
    nvme0n1.ioworker(io_sequence=sequence, output_cmdlog_list=commands).start().close()
    assert commands == [(0, 8, 2), (8, 8, 2)]


def test_arrays_of_numpy_in_a_buffer():
    buf = d.Buffer(64)
    buf[0:8] = np.arange(4, dtype="<u2")
    assert buf[:8] == b"\x00\x00\x01\x00\x02\x00\x03\x00"
    buf[8:16] = np.arange(16, dtype=np.uint8)[::2]  # not contiguous
    assert buf[8:16] == bytes(range(0, 16, 2))
    buf[16:17] = np.array([9], dtype=np.uint8)
    buf[17:19] = np.array(3)
    buf[19:21] = memoryview(b"ab")
    assert buf[16:22] == b"\x09\x03\x03ab\x00"
    with pytest.raises(IndexError):
        buf[0:4] = np.arange(4, dtype="<u2")
    view = np.frombuffer(buf, dtype="<u4")
    view[15] = 0x01020304
    assert buf.data(63, 60) == 0x01020304
    assert memoryview(buf).nbytes == 64


def test_help_shows_how_objects_are_made():
    buffer = inspect.signature(d.Buffer).parameters
    assert {name: p.default for name, p in buffer.items()} == {
        "size": 4096, "name": "buffer", "pvalue": 0, "ptype": 0
    }  # fmt: skip
    qpair = inspect.signature(d.Qpair).parameters
    assert list(qpair) == ["nvme", "depth", "prio", "ien", "iv"]
    assert [p.default for p in qpair.values()][2:] == [0, True, 0xFFFF]
