// Docstrings of the IO commands: what help(), editors and docs/namespace.md show. Every example
// runs in tests/python/test_docstrings.py.
#pragma once

namespace pynvme::bindings::doc {

constexpr char kRead[] = R"(Read (NVM Command Set 1.0 §3.2.4). Returns the qpair.

Args:
    qpair: where it is sent; of the same controller
    buf: gets the data; ArgumentError when it is smaller than the LBAs
    lba: first LBA, 0 to 2**64-1; beyond the namespace is status 00/80
    lba_count: 1 to 65536, not 0-based; more bytes than MDTS are status 00/02
    io_flags: bits 31:16 of CDW12 as a halfword: 0x4000 is FUA, 0x8000 Limited Retry
    dword13, dword14, dword15: CDW13 to CDW15, 0 to 0xffffffff
    cb: called inside waitdone() as cb(cdw0, status1) or cb(cpl)

ArgumentError when the queue is full; nothing was sent then. Of extended LBAs the buffer gets the
metadata as well. Where there is protection information and nothing in io_flags, dword14 and dword15
says what to do with it, the controller checks it and takes it away (PRACT).

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 16), d.Buffer(4096)
>>> nvme0n1.read(qpair, buf, lba=0, lba_count=8).waitdone()
0
>>> nvme0.close()
)";

constexpr char kWrite[] = R"(Write (NVM Command Set 1.0 §3.2.6). Returns the qpair.

Args:
    qpair: where it is sent; of the same controller
    buf: holds the data, and is stamped
    lba: first LBA, 0 to 2**64-1; beyond the namespace is status 00/80
    lba_count: 1 to 65536, not 0-based; more bytes than MDTS are status 00/02
    io_flags: bits 31:16 of CDW12 as a halfword: 0x4000 is FUA, 0x8000 Limited Retry
    dword13, dword14, dword15: CDW13 to CDW15, 0 to 0xffffffff
    cb: called inside waitdone() as cb(cdw0, status1) or cb(cpl)

In each LBA of the buffer the first 8 bytes become its address and the last 8 a token: a counter of
the whole process that goes up by one with every LBA written. So keep your own data between them, or
use send_cmd(), which writes data as they are. Of extended LBAs the buffer holds the metadata as well;
separate ones become zeroes. Where there is protection information and nothing in io_flags, dword14
and dword15 says what to do with it, the controller makes it (PRACT). ArgumentError for io_flags that
have a guard checked which stamps make wrong.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 16), d.Buffer(512)
>>> buf[10:21] = b"hello world"
>>> nvme0n1.write(qpair, buf, lba=5).waitdone()
0
>>> buf.data_head
5
>>> nvme0.close()
)";

constexpr char kCompare[] = R"(Compare (NVM Command Set 1.0 §3.2.1). Returns the qpair.

Args:
    qpair: where it is sent; of the same controller
    buf: what the LBAs should hold
    lba: first LBA, 0 to 2**64-1
    lba_count: 1 to 65536, not 0-based
    io_flags: bits 31:16 of CDW12 as a halfword: 0x4000 is FUA
    cb: called inside waitdone() as cb(cdw0, status1) or cb(cpl)

Status 02/85 (Compare Failure) when the data differ.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 16), d.Buffer(512)
>>> nvme0n1.write(qpair, buf, lba=5).waitdone()  # stamps buf
0
>>> nvme0n1.compare(qpair, buf, lba=5).waitdone()
0
>>> nvme0.close()
)";

constexpr char kDsm[] =
    R"(Dataset Management (NVM Command Set 1.0 §3.2.3): trim, mostly. Returns the qpair.

Args:
    qpair: where it is sent; of the same controller
    buf: the ranges, 16 bytes each; Buffer.set_dsm_range() writes them
    range_count: 1 to 256, not 0-based
    attribute: CDW11: 4 deallocate, 1 and 2 integral dataset for read and for write
    cb: called inside waitdone() as cb(cdw0, status1) or cb(cpl)

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 16), d.Buffer(4096)
>>> buf.set_dsm_range(0, lba=0, lba_count=8)
>>> nvme0n1.dsm(qpair, buf, 1).waitdone()
0
>>> nvme0.close()
)";

constexpr char kFlush[] =
    R"(Flush (NVMe Base 2.0 §7.1): what was written is on the media afterwards. Returns the qpair.

Args:
    qpair: where it is sent; of the same controller
    cb: called inside waitdone() as cb(cdw0, status1) or cb(cpl)

Only commands that had completed when it was sent are covered.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 16), d.Buffer(512)
>>> nvme0n1.write(qpair, buf, lba=0).waitdone()
0
>>> nvme0n1.flush(qpair).waitdone()
0
>>> nvme0.close()
)";

constexpr char kVerify[] = R"(Verify (NVM Command Set 1.0 §3.2.5). Returns the qpair.

Args:
    qpair: where it is sent; of the same controller
    lba: first LBA, 0 to 2**64-1
    lba_count: 1 to 65536, not 0-based
    io_flags: bits 31:16 of CDW12 as a halfword
    cb: called inside waitdone() as cb(cdw0, status1) or cb(cpl)

The device reads the LBAs and checks them; no data are transferred. Not to be mixed up with
verify_enable(), which has the host check what Reads return.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 16)
>>> nvme0n1.verify(qpair, lba=0, lba_count=8).waitdone()
0
>>> nvme0.close()
)";

constexpr char kWriteZeroes[] = R"(Write Zeroes (NVM Command Set 1.0 §3.2.8). Returns the qpair.

Args:
    qpair: where it is sent; of the same controller
    lba: first LBA, 0 to 2**64-1
    lba_count: 1 to 65536, not 0-based; MDTS is no limit
    io_flags: bits 31:16 of CDW12 as a halfword: 0x0200 is DEAC (deallocate), 0x4000 FUA
    cb: called inside waitdone() as cb(cdw0, status1) or cb(cpl)

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 16), d.Buffer(512, pvalue=1)
>>> nvme0n1.write_zeroes(qpair, lba=0, lba_count=8).waitdone()
0
>>> nvme0n1.read(qpair, buf, lba=7).waitdone()
0
>>> buf[:] == bytes(512)
True
>>> nvme0.close()
)";

constexpr char kWriteUncorrectable[] =
    R"(Write Uncorrectable (NVM Command Set 1.0 §3.2.7). Returns the qpair.

Args:
    qpair: where it is sent; of the same controller
    lba: first LBA, 0 to 2**64-1
    lba_count: 1 to 65536, not 0-based; MDTS is no limit
    cb: called inside waitdone() as cb(cdw0, status1) or cb(cpl)

Reads of the LBAs fail with 02/81 (Unrecovered Read Error) until they are written again.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 16), d.Buffer(512)
>>> nvme0n1.write_uncorrectable(qpair, lba=3).waitdone()
0
>>> nvme0n1.write(qpair, buf, lba=3).waitdone()
0
>>> nvme0n1.read(qpair, buf, lba=3).waitdone()
0
>>> nvme0.close()
)";

constexpr char kZnsMgmtReceive[] =
    R"(Zone Management Receive (Zoned Namespace Command Set 1.1 §3.4.2). Returns the qpair.

Args:
    qpair: where it is sent; of the same controller
    buf: gets the report
    slba: of the first zone, 0 to 2**64-1
    dwords: to transfer, 1 to 0xffffffff, not 0-based; all of buf when it is left out
    extended: Extended Report Zones instead of Report Zones
    state: zones in this state only, 0 to 255; 0: all
    partial: the Number of Zones is that of the zones transferred
    cb: called inside waitdone() as cb(cdw0, status1) or cb(cpl)

The embedded SSD has no zoned namespace and answers with status 00/01.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 16), d.Buffer(4096)
>>> if nvme0n1.supports(0x7a):
...     cdw0 = nvme0n1.zns_mgmt_receive(qpair, buf, slba=0, extended=False).waitdone()
...     number_of_zones = buf.data(7, 0)
>>> nvme0.close()
)";

constexpr char kZnsMgmtSend[] =
    R"(Zone Management Send (Zoned Namespace Command Set 1.1 §3.4.3). Returns the qpair.

Args:
    qpair: where it is sent; of the same controller
    buf: the zone descriptor extension of action 16; None for the others
    slba: of the zone, 0 to 2**64-1
    action: 0 to 255: 1 close, 2 finish, 3 open, 4 reset, 5 offline, 16 set descriptor extension
    all: every zone instead of that of slba
    cb: called inside waitdone() as cb(cdw0, status1) or cb(cpl)

The embedded SSD has no zoned namespace and answers with status 00/01.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 16)
>>> if nvme0n1.supports(0x79):
...     cdw0 = nvme0n1.zns_mgmt_send(qpair, None, action=4, all=True).waitdone()  # reset all zones
>>> nvme0.close()
)";

constexpr char kIoSendCmd[] =
    R"(Any IO command, legal or not. Returns the qpair; writes are not stamped.

Args:
    opcode: bits 7:0, 0 to 255; bits 15:8 go to the flags of CDW0: FUSE in bits 9:8, PSDT in 15:14
    qpair: where it is sent; of the same controller
    buf: the data pointer describes all of it, from its offset to its size
    nsid: 0 to 0xffffffff
    cdw10, cdw11, cdw12, cdw13, cdw14, cdw15: as they stand in the SQE; NLB in CDW12 is 0-based
    cb: called inside waitdone() as cb(cdw0, status1) or cb(cpl)

Nothing is checked but that the values fit their fields. A fused Compare and Write, sent one right
after the other:

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 16), d.Buffer(512)
>>> nvme0n1.write(qpair, buf, 8).waitdone()
0
>>> qpair = nvme0n1.send_cmd(5 | 1 << 8, qpair, buf, 1, 8)
>>> nvme0n1.send_cmd(1 | 2 << 8, qpair, buf, 1, 8).waitdone(2)
0
>>> nvme0.close()
)";

}  // namespace pynvme::bindings::doc
