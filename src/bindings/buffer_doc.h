// Docstrings of Buffer: what help(), editors and docs/buffer.md show. Every example runs in
// tests/python/test_docstrings.py.
#pragma once

namespace pynvme::bindings::doc {

constexpr char kBuffer[] = R"(Memory that the device can reach: contiguous, page aligned, zeroed.

Args:
    size: bytes, 1 to 4 GiB, both inclusive
    name: what dump() and errors call it
    pvalue, ptype: the pattern it is filled with. ptype 0: all bits zero (pvalue 0) or one
        (pvalue 1); ptype 32: pvalue repeated as a dword; ptype 0xbeef: pvalue per cent of the
        bytes random, the rest zero

The oldest form, Buffer(nvme0, size, ...), works as well. Indexes and slices count from
the start of the memory, wherever `offset` is; what lies outside raises IndexError. Python's buffer protocol works without
a copy: numpy.frombuffer(buf, dtype="<u4"), memoryview(buf). A Buffer that an unfinished command uses
is kept alive by that command.

>>> import nvme as d
>>> b = d.Buffer(1024, "example")
>>> b[0] = 0x5a
>>> b[1:3] = [1, 2]
>>> b[4:] = b"\x0a\x0b\x0c\x0d"
>>> b[:8:2]
b'Z\x02\n\x0c'
>>> b.data(2, 0) == 0x02015a
True
)";

constexpr char kGetBytes[] = R"(Bytes of the buffer: an int for one index, bytes for a slice.

Negative indexes count from the end, a slice may have a step. IndexError outside of the buffer, for
slice bounds too. buf[a:b, begin] of the oldest scripts is bytes begin to b - 1.

>>> import nvme as d
>>> buf = d.Buffer(16, ptype=32, pvalue=0x04030201)
>>> buf[1], buf[-1], buf[0:4]
(2, 4, b'\x01\x02\x03\x04')
)";

constexpr char kSetBytes[] =
    R"(Set bytes: one by an int, a slice by an int (all of it), a list or bytes.

Fewer bytes than the slice has leave the rest as it is; more raise IndexError. Values are 0 to 255.

>>> import nvme as d
>>> buf = d.Buffer(8)
>>> buf[0] = 1
>>> buf[1:3] = [2, 3]
>>> buf[4:] = 0xff
>>> buf[:]
b'\x01\x02\x03\x00\xff\xff\xff\xff'
)";

constexpr char kData[] =
    R"(A field of the buffer, little-endian, named as the specification does: last byte first.

Args:
    byte_end, byte_begin: both inclusive; byte_begin is byte_end when it is left out
    type: int, str or bytes

Raises IndexError outside of the buffer, ArgumentError when byte_begin is behind byte_end.

>>> import nvme as d
>>> hex(d.Buffer(16, ptype=32, pvalue=0x12345678).data(1, 0))
'0x5678'
)";

constexpr char kSetDsmRange[] =
    R"(Write one range of a Dataset Management command (NVM Command Set 1.0 §3.2.3).

Args:
    index: 0 to 255; the range is 16 bytes at 16 * index, IndexError when it does not fit
    lba: first LBA, 0 to 2**64-1
    lba_count: LBAs, 0 to 0xffffffff, not 0-based
    attr: Context Attributes, 0 to 0xffffffff

>>> import nvme as d
>>> buf = d.Buffer(4096)
>>> buf.set_dsm_range(0, lba=8, lba_count=64)
>>> buf.data(15, 8)
8
)";

constexpr char kName[] = R"(What dump() and errors call the buffer. Settable.

>>> import nvme as d
>>> d.Buffer(512, "SMART log").name
'SMART log'
)";

constexpr char kSize[] =
    R"(Bytes that are transferred, 1 to what was allocated. Settable, to transfer less.

>>> import nvme as d
>>> buf = d.Buffer(4096)
>>> buf.size = 512
>>> len(buf)
512
)";

constexpr char kOffset[] =
    R"(Where the data pointer starts, in bytes from the start of the memory; below what was allocated. Settable.

PRP entry 1 of a command gets this offset into the page (NVMe Base 2.0 §4.1.1). Indexes do not
change: the first byte that a command transfers is buf[buf.offset].

>>> import nvme as d
>>> buf = d.Buffer(8192)
>>> page = buf.phys_addr
>>> buf.offset = 8
>>> buf.phys_addr - page
8
)";

constexpr char kPhysAddr[] =
    R"(The address the device sees, plus offset: what stands in a PRP entry.

>>> import nvme as d
>>> d.Buffer(4096).phys_addr % 4096
0
)";

constexpr char kDataHead[] =
    R"(The first 8 bytes as a little-endian number: the LBA, after a write or a read of it.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 16), d.Buffer(512)
>>> nvme0n1.write(qpair, buf, lba=0x1234).waitdone()
0
>>> hex(buf.data_head)
'0x1234'
>>> nvme0.close()
)";

constexpr char kDataTail[] =
    R"(The last 8 bytes as a little-endian number: the token of the last LBA.

Tokens count the LBAs that this process wrote, from 1 on.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 16), d.Buffer(512)
>>> cdw0 = nvme0n1.write(qpair, buf, lba=0).waitdone()
>>> first = buf.data_tail
>>> cdw0 = nvme0n1.write(qpair, buf, lba=1).waitdone()
>>> buf.data_tail - first
1
>>> nvme0.close()
)";

}  // namespace pynvme::bindings::doc
