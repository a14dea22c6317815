# The Python Space Driver: I/O queues, their entries and PRPs in plain Python, for what nvme.Qpair
# will not do on purpose. It stands on nvme.Buffer (memory) and nvme.Controller (registers, admin
# commands) alone, checks nothing that the device should check, and leaves waiting to the script.
"""Python Space Driver: every byte that an NVMe device sees of an I/O queue, from Python.

A script places submission and completion queues where it likes, fills the entries, and rings the
doorbells. Several submission queues may share a completion queue, queue memory may be scattered
over pages, every PRP and every doorbell value may be written, right or wrong.

>>> import nvme as d
>>> from psd import CQE, IOCQ, IOSQ, PRP, SQE
>>> nvme0 = d.Controller("sim")
>>> cq = IOCQ(nvme0, 1, 10, PRP())
>>> sq = IOSQ(nvme0, 1, 10, PRP(), cqid=1)
>>> flush = SQE(0, 1)                  # dword 0: opcode 0; dword 1: namespace 1
>>> flush.cid = 123
>>> sq[0] = flush                      # the entry is in memory,
>>> sq.tail = 1                        # and now the device knows
>>> while CQE(cq[0]).p == 0: pass
>>> CQE(cq[0]).cid, CQE(cq[0]).status
(123, 0)
>>> cq.head = 1
>>> sq.delete()
>>> cq.delete()
>>> nvme0.close()

Queue identifiers are the script's choice; nvme.Qpair and IOWorkers take theirs from the same set,
from 1 on, so a script that uses both gives its own queues the high ones. Section numbers are those
of NVMe Base Specification 2.0.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import ClassVar, TypeAlias
from weakref import WeakKeyDictionary

from nvme import Buffer, Controller, _core
from nvme.errors import ArgumentError

__all__ = ["CQE", "IOCQ", "IOSQ", "PRP", "SQE", "PRPList"]

_DELETE_IO_SQ = 0x00
_CREATE_IO_SQ = 0x01
_DELETE_IO_CQ = 0x04
_CREATE_IO_CQ = 0x05
_CC = 0x14
_DOORBELLS = 0x1000

PRP = Buffer
"""A PRP entry is the address of a memory page, so `PRP` is another name of nvme.Buffer, whose size
is a page by default. Set its `offset` for an entry that does not begin at the page (§4.1.1)."""

_Pointer: TypeAlias = "Buffer | PRPList | int"


def _bits(name: str, value: int, width: int) -> int:
    if not 0 <= value < 1 << width:
        raise ArgumentError(f"{name} = {value:#x} does not fit into its {width} bits")
    return value


def _address(pointer: _Pointer) -> int:
    return pointer if isinstance(pointer, int) else pointer.phys_addr


class PRPList:
    """A PRP list (§4.1.1): memory that holds the addresses of pages, 8 bytes each.

    An entry takes a PRP (any Buffer), another PRPList (that is how the last entry of a page goes on
    in the next one), or a bare number. The list keeps what was put in it alive.

    Args:
        size: bytes of the list; a page by default, which has 512 entries
        name: what dump() of its `buf` says

    >>> from psd import PRP, PRPList
    >>> prp_list = PRPList()
    >>> prp_list[0] = PRP()
    >>> prp_list[1] = 0x1000
    >>> hex(prp_list[1])
    '0x1000'
    >>> len(prp_list)
    512
    >>> prp_list.offset = 4096 - 16    # a list that begins near the end of its page
    >>> len(prp_list)
    2
    """

    def __init__(self, size: int = 4096, name: str = "PRP list") -> None:
        self.buf = Buffer(size, name)
        # By place in the memory, because the offset may change.
        self._pointers: dict[int, Buffer | PRPList] = {}

    def _position(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise IndexError(f"entry {index} is outside of a PRP list of {len(self)} entries")
        return self.buf.offset + index * 8

    def __len__(self) -> int:
        return self.buf.size // 8

    def __setitem__(self, index: int, pointer: _Pointer) -> None:
        at = self._position(index)
        self.buf[at : at + 8] = struct.pack("<Q", _bits("PRP entry", _address(pointer), 64))
        if isinstance(pointer, int):
            self._pointers.pop(at, None)
        else:
            self._pointers[at] = pointer

    def __getitem__(self, index: int) -> _Pointer:
        """What was put there, or the bare number that the memory holds."""
        at = self._position(index)
        pointer = self._pointers.get(at)
        return pointer if pointer is not None else int(self.buf.data(at + 7, at))

    def __iter__(self) -> Iterator[_Pointer]:
        return (self[index] for index in range(len(self)))

    @property
    def phys_addr(self) -> int:
        """The address the device sees, plus offset.

        >>> from psd import PRPList
        >>> PRPList().phys_addr % 4096
        0
        """
        return self.buf.phys_addr

    @property
    def offset(self) -> int:
        """Where entry 0 lies, in bytes from the start of the memory.

        >>> from psd import PRPList
        >>> prp_list = PRPList()
        >>> prp_list.offset = 4088  # one entry, the last one of the page
        >>> len(prp_list)
        1
        """
        return self.buf.offset

    @offset.setter
    def offset(self, value: int) -> None:
        self.buf.offset = value

    def __repr__(self) -> str:
        return f"<PRPList at {self.phys_addr:#x}, {len(self)} entries>"


class _Entry(Sequence[int]):
    """A queue entry as dwords."""

    _COUNT: ClassVar[int]

    def __init__(self, *dwords: int) -> None:
        if len(dwords) > self._COUNT:
            raise ArgumentError(
                f"{type(self).__name__} has {self._COUNT} dwords, not {len(dwords)}"
            )
        self._dwords = [_bits(f"dword {i}", dword, 32) for i, dword in enumerate(dwords)]
        self._dwords += [0] * (self._COUNT - len(dwords))

    def __len__(self) -> int:
        return self._COUNT

    def __getitem__(self, index: int) -> int:  # type: ignore[override]
        return self._dwords[index]

    def __bytes__(self) -> bytes:
        return struct.pack(f"<{self._COUNT}I", *self._dwords)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, type(self)):
            return self._dwords == other._dwords
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]  # entries may be changed

    def _field(self, dword: int, low: int, width: int) -> int:
        return self._dwords[dword] >> low & ((1 << width) - 1)


class SQE(_Entry):
    """A submission queue entry: 16 dwords (§3.3.3.1).

    Args:
        dwords: dword 0 (opcode, fused operation, CID), dword 1 (namespace), and so on; those that
            are left out are 0

    `sqe[n]` is dword n, for example `sqe[10]`. The fields that lie in a part of a dword or in two
    have names. The entry keeps the memory alive that prp1, prp2 and mptr were set to.

    >>> from psd import PRP, SQE
    >>> write = SQE(1, 1)
    >>> write.cid = 567
    >>> write.prp1 = PRP()
    >>> write[12] = 7                  # NLB, 0-based
    >>> hex(write[0])
    '0x2370001'
    """

    _COUNT = 16

    def __init__(self, *dwords: int) -> None:
        super().__init__(*dwords)
        self._pointers: dict[int, Buffer | PRPList] = {}  # by dword

    def __setitem__(self, index: int, value: int) -> None:
        at = range(self._COUNT)[index]
        self._dwords[at] = _bits(f"dword {at}", value, 32)
        self._pointers.pop(at & ~1, None)

    def _get_pointer(self, dword: int) -> _Pointer:
        pointer = self._pointers.get(dword)
        if pointer is not None:
            return pointer
        return self._dwords[dword] | self._dwords[dword + 1] << 32

    def _set_pointer(self, dword: int, pointer: _Pointer) -> None:
        address = _bits("data pointer", _address(pointer), 64)
        self[dword] = address & 0xFFFFFFFF
        self[dword + 1] = address >> 32
        if not isinstance(pointer, int):
            self._pointers[dword] = pointer

    @property
    def opcode(self) -> int:
        """Opcode: dword 0, bits 7:0.

        >>> from psd import SQE
        >>> hex(SQE(0x12340002, 1).opcode)
        '0x2'
        """
        return self._field(0, 0, 8)

    @opcode.setter
    def opcode(self, value: int) -> None:
        self._dwords[0] = (self._dwords[0] & ~0xFF) | _bits("opcode", value, 8)

    @property
    def cid(self) -> int:
        """Command Identifier: dword 0, bits 31:16.

        >>> from psd import SQE
        >>> sqe = SQE(2, 1)
        >>> sqe.cid = 567
        >>> hex(sqe[0])
        '0x2370002'
        """
        return self._field(0, 16, 16)

    @cid.setter
    def cid(self, value: int) -> None:
        self._dwords[0] = (self._dwords[0] & 0xFFFF) | _bits("cid", value, 16) << 16

    @property
    def nsid(self) -> int:
        """Namespace Identifier: dword 1.

        >>> from psd import SQE
        >>> sqe = SQE(2)
        >>> sqe.nsid = 1
        >>> sqe[1]
        1
        """
        return self._dwords[1]

    @nsid.setter
    def nsid(self, value: int) -> None:
        self[1] = value

    @property
    def mptr(self) -> _Pointer:
        """Metadata Pointer: dwords 4 and 5; a Buffer or an address.

        >>> from psd import SQE
        >>> sqe = SQE(2, 1)
        >>> sqe.mptr = 0x1_0000_2000
        >>> hex(sqe[4]), hex(sqe[5])
        ('0x2000', '0x1')
        """
        return self._get_pointer(4)

    @mptr.setter
    def mptr(self, value: _Pointer) -> None:
        self._set_pointer(4, value)

    @property
    def prp1(self) -> _Pointer:
        """PRP Entry 1: dwords 6 and 7; a PRP (any Buffer), a PRPList or an address.

        >>> from psd import PRP, SQE
        >>> sqe = SQE(2, 1)
        >>> sqe.prp1 = PRP()
        >>> sqe[6] | sqe[7] << 32 == sqe.prp1.phys_addr
        True
        """
        return self._get_pointer(6)

    @prp1.setter
    def prp1(self, value: _Pointer) -> None:
        self._set_pointer(6, value)

    @property
    def prp2(self) -> _Pointer:
        """PRP Entry 2: dwords 8 and 9; a PRP (any Buffer), a PRPList or an address.

        >>> from psd import PRP, PRPList, SQE
        >>> sqe = SQE(2, 1)
        >>> sqe.prp2 = PRPList()
        >>> sqe.prp2[0] = PRP()
        >>> sqe[8] | sqe[9] << 32 == sqe.prp2.phys_addr
        True
        """
        return self._get_pointer(8)

    @prp2.setter
    def prp2(self, value: _Pointer) -> None:
        self._set_pointer(8, value)

    def __repr__(self) -> str:
        return (
            f"<SQE opcode {self.opcode:#04x} cid {self.cid} nsid {self.nsid:#x} "
            f"prp1 {_address(self.prp1):#x} prp2 {_address(self.prp2):#x} cdw10.. "
            + " ".join(f"{dword:08x}" for dword in self._dwords[10:])
            + ">"
        )


class CQE(_Entry):
    """A completion queue entry: 4 dwords (§3.3.3.2).

    Args:
        entry: 4 dwords or 16 bytes, for example `cq[0]`

    >>> from psd import CQE
    >>> cqe = CQE([0, 0, 0x0002_0001, 0x0003_007b])
    >>> cqe.sqid, cqe.sqhd, cqe.cid, cqe.p, cqe.status
    (2, 1, 123, 1, 1)
    """

    _COUNT = 4

    def __init__(self, entry: Sequence[int] | bytes) -> None:
        if isinstance(entry, bytes):
            if len(entry) != 16:
                raise ArgumentError(f"a completion queue entry has 16 bytes, not {len(entry)}")
            entry = struct.unpack("<4I", entry)
        elif len(entry) != self._COUNT:
            raise ArgumentError(f"a completion queue entry has 4 dwords, not {len(entry)}")
        super().__init__(*entry)

    @property
    def cdw0(self) -> int:
        """Command specific: dword 0.

        >>> from psd import CQE
        >>> CQE([0x11, 0, 0x0002_0001, 0x0003_007b]).cdw0
        17
        """
        return self._dwords[0]

    @property
    def sqhd(self) -> int:
        """SQ Head Pointer: dword 2, bits 15:0.

        >>> from psd import CQE
        >>> CQE([0x11, 0, 0x0002_0001, 0x0003_007b]).sqhd
        1
        """
        return self._field(2, 0, 16)

    @property
    def sqid(self) -> int:
        """SQ Identifier: dword 2, bits 31:16.

        >>> from psd import CQE
        >>> CQE([0x11, 0, 0x0002_0001, 0x0003_007b]).sqid
        2
        """
        return self._field(2, 16, 16)

    @property
    def cid(self) -> int:
        """Command Identifier: dword 3, bits 15:0.

        >>> from psd import CQE
        >>> CQE([0x11, 0, 0x0002_0001, 0x0003_007b]).cid
        123
        """
        return self._field(3, 0, 16)

    @property
    def p(self) -> int:
        """Phase Tag: dword 3, bit 16. 1 in what the device posts to a new queue, then turning over
        with each pass through it.

        >>> from psd import CQE
        >>> CQE([0x11, 0, 0x0002_0001, 0x0003_007b]).p
        1
        """
        return self._field(3, 16, 1)

    @property
    def status(self) -> int:
        """Status, all 15 bits without the Phase Tag: dword 3, bits 31:17. 0 is success.

        >>> from psd import CQE
        >>> hex(CQE([0, 0, 0, 0x8503_0000]).status)
        '0x4281'
        """
        return self._field(3, 17, 15)

    @property
    def sc(self) -> int:
        """Status Code: the low 8 bits of the status.

        >>> from psd import CQE
        >>> hex(CQE([0, 0, 0, 0x8503_0000]).sc)
        '0x81'
        """
        return self._field(3, 17, 8)

    @property
    def sct(self) -> int:
        """Status Code Type: the 3 bits above the Status Code.

        >>> from psd import CQE
        >>> CQE([0, 0, 0, 0x8503_0000]).sct
        2
        """
        return self._field(3, 25, 3)

    @property
    def dnr(self) -> int:
        """Do Not Retry: the highest bit of the status.

        >>> from psd import CQE
        >>> CQE([0, 0, 0, 0x8503_0000]).dnr
        1
        """
        return self._field(3, 31, 1)

    def __repr__(self) -> str:
        return (
            f"<CQE p {self.p} status {self.sct:02x}/{self.sc:02x} dnr {self.dnr} cid {self.cid} "
            f"sqid {self.sqid} sqhd {self.sqhd} cdw0 {self.cdw0:#x}>"
        )


class _Memory:
    """Queue memory: one contiguous Buffer, or pages from a PRP list."""

    def __init__(self, prp: Buffer | PRPList, page_bytes: int, pages: int) -> None:
        self._root = prp
        self._page_bytes = page_bytes
        self._pages = (
            [prp] if isinstance(prp, Buffer) else list(islice(_walk(prp, page_bytes), pages))
        )

    def find(self, at: int) -> tuple[Buffer, int]:
        if isinstance(self._root, Buffer):
            return self._root, self._root.offset + at
        index, at = divmod(at, self._page_bytes)
        page = self._pages[index] if index < len(self._pages) else None
        if not isinstance(page, Buffer):
            raise IndexError(f"page {index} of the queue is not a PRP of this script")
        return page, page.offset + at


def _walk(prp_list: PRPList, page_bytes: int) -> Iterator[_Pointer]:
    """The pages of a list, going on where the last entry of a page of it is another list."""
    seen = set()
    while prp_list.phys_addr not in seen:
        seen.add(prp_list.phys_addr)
        following = None
        for index, pointer in enumerate(prp_list):
            at_end = (prp_list.phys_addr + 8 * index + 8) % page_bytes == 0
            if isinstance(pointer, PRPList) and at_end:
                following = pointer
                break
            yield pointer
        if following is None:
            return
        prp_list = following


class _Queue:
    # Memory that a device may still reach, because its queue was created and not deleted. It lives
    # as long as the Controller, also when the script drops the queue.
    _reachable: ClassVar[WeakKeyDictionary[Controller, dict[tuple[str, int], object]]] = (
        WeakKeyDictionary()
    )

    _ENTRY_BYTES: ClassVar[int]
    _CREATE: ClassVar[int]
    _DELETE: ClassVar[int]
    _DOORBELL: ClassVar[int]

    def __init__(
        self,
        nvme: Controller,
        qid: int,
        qsize: int,
        prp: Buffer | PRPList,
        pc: bool | None,
        cdw11: int,
        cdw12: int,
    ) -> None:
        if _core.controller_on_fabric(nvme):
            raise ArgumentError(
                f"{nvme.addr} is reached over a fabric: its queues are connections, not memory "
                "that psd could make (use Qpair)"
            )
        if not 1 <= qsize <= 65536:
            raise ArgumentError(f"qsize = {qsize} is not in 1..65536 (entries, not 0-based)")
        self.nvme = nvme
        self.qid = _bits("qid", qid, 16)
        self.qsize = qsize
        contiguous = isinstance(prp, Buffer) if pc is None else pc
        page_bytes = 4096 << (nvme[_CC] >> 7 & 0xF)  # CC.MPS
        self._memory = _Memory(prp, page_bytes, -(-qsize * self._ENTRY_BYTES // page_bytes))
        self._doorbell_value = 0
        self._create(prp, cdw11 | int(contiguous), cdw12)

    def _create(self, prp: Buffer | PRPList, cdw11: int, cdw12: int) -> None:
        reachable = self._reachable.setdefault(self.nvme, {})
        key = (type(self).__name__, self.qid)
        memory = self._device_memory()

        def created(_cdw0: int, status1: int) -> None:
            # On a timeout (FFFFh) the queue may be there.
            if status1 >> 1 == 0 or status1 == 0xFFFF:
                reachable[key] = memory

        # PRP1 is the only pointer of these commands: 4 bytes keep the driver from adding PRP2.
        buf = prp if isinstance(prp, Buffer) else prp.buf
        size = buf.size
        buf.size = 4
        try:
            self.nvme.send_cmd(
                self._CREATE,
                buf,
                cdw10=(self.qsize - 1) << 16 | self.qid,
                cdw11=cdw11,
                cdw12=cdw12,
                cb=created,
            )
        finally:
            buf.size = size
        self.nvme.waitdone()

    def _device_memory(self) -> object:
        return self._memory

    def delete(self) -> None:
        """Delete the queue on the device; a submission queue goes before its completion queue.

        The command is sent in any case. An error is a warning, `ERROR status: 01/01` when there is
        no such queue.

        >>> import nvme as d
        >>> from psd import IOCQ, IOSQ, PRP
        >>> nvme0 = d.Controller("sim")
        >>> cq = IOCQ(nvme0, 5, 16, PRP())
        >>> sq = IOSQ(nvme0, 5, 16, PRP(), cqid=5)
        >>> sq.delete()
        >>> cq.delete()
        >>> nvme0.close()
        """

        reachable = self._reachable.setdefault(self.nvme, {})
        key = (type(self).__name__, self.qid)

        def deleted(_cdw0: int, status1: int) -> None:
            if status1 >> 1 == 0:
                reachable.pop(key, None)

        self.nvme.send_cmd(self._DELETE, cdw10=self.qid, cb=deleted).waitdone()

    def _place(self, index: int) -> tuple[Buffer, int]:
        if not 0 <= index < self.qsize:
            raise IndexError(f"entry {index} is outside of a queue of {self.qsize} entries")
        return self._memory.find(index * self._ENTRY_BYTES)

    def _ring(self, value: int) -> None:
        stride = 4 << (self.nvme.cap >> 32 & 0xF)  # CAP.DSTRD
        self._doorbell_value = _bits("doorbell", value, 32)
        self.nvme[_DOORBELLS + (2 * self.qid + self._DOORBELL) * stride] = value

    def __len__(self) -> int:
        return self.qsize

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.qid}, {self.qsize} entries>"


class IOCQ(_Queue):
    """An I/O completion queue, created on the device (Create I/O Completion Queue, §5.4).

    Args:
        nvme: the controller
        qid: queue identifier
        qsize: entries, not 0-based, of 16 bytes each
        prp: where the queue lies: a PRP (any Buffer), or a PRPList of its pages
        pc: Physically Contiguous; left out, it is true for a Buffer and false for a PRPList. A
            drive with CAP.CQR (register 0, bit 16) set refuses false.
        ien: Interrupts Enabled
        iv: Interrupt Vector

    A queue that the device refuses is a warning, `ERROR status: 01/02` for example, as with any
    other command; nothing is raised, so that refusals can be tested. prp must be large enough for
    the queue, because the device writes to all of it.

    >>> import nvme as d
    >>> from psd import IOCQ, PRP
    >>> nvme0 = d.Controller("sim")
    >>> cq = IOCQ(nvme0, 5, 256, PRP())
    >>> cq[255].p
    0
    >>> cq.delete()
    >>> nvme0.close()
    """

    _ENTRY_BYTES = 16
    _CREATE = _CREATE_IO_CQ
    _DELETE = _DELETE_IO_CQ
    _DOORBELL = 1

    def __init__(
        self,
        nvme: Controller,
        qid: int,
        qsize: int,
        prp: Buffer | PRPList,
        pc: bool | None = None,
        ien: bool = False,
        iv: int = 0,
    ) -> None:
        cdw11 = int(ien) << 1 | _bits("iv", iv, 16) << 16
        super().__init__(nvme, qid, qsize, prp, pc, cdw11, 0)

    def __getitem__(self, index: int) -> CQE:
        """The entry as the memory holds it now; read anew each time."""
        buf, at = self._place(index)
        # The half with the Phase Tag comes first: when it is new, so is the other one.
        tail = buf[at + 8 : at + 16]
        return CQE(buf[at : at + 8] + tail)

    @property
    def head(self) -> int:
        """CQ Head Doorbell. Setting it writes the register, whatever the value; what it gives back
        is the value written last, because doorbells are not for reading (PCIe Transport 1.0
        §3.1.2).

        >>> import nvme as d
        >>> from psd import IOCQ, IOSQ, PRP, SQE
        >>> nvme0 = d.Controller("sim")
        >>> cq = IOCQ(nvme0, 5, 16, PRP())
        >>> sq = IOSQ(nvme0, 5, 16, PRP(), cqid=5)
        >>> sq[0] = SQE(0, 1)  # Flush
        >>> sq.tail = 1
        >>> while cq[0].p == 0: pass
        >>> cq.head = 1
        >>> cq.head
        1
        >>> sq.delete()
        >>> cq.delete()
        >>> nvme0.close()
        """
        return self._doorbell_value

    @head.setter
    def head(self, value: int) -> None:
        self._ring(value)


class IOSQ(_Queue):
    """An I/O submission queue, created on the device (Create I/O Submission Queue, §5.5).

    Args:
        nvme: the controller
        qid: queue identifier
        qsize: entries, not 0-based, of 64 bytes each
        prp: where the queue lies: a PRP (any Buffer), or a PRPList of its pages
        cqid: the completion queue; several submission queues may name the same
        pc: Physically Contiguous; left out, it is true for a Buffer and false for a PRPList. A
            drive with CAP.CQR (register 0, bit 16) set refuses false.
        qprio: priority, 0 (urgent) to 3 (low), for weighted round robin arbitration
        nvmsetid: NVM Set Identifier

    A queue that the device refuses is a warning, as with IOCQ. Each entry keeps the memory alive
    that its command points to until another command is put there.

    >>> import nvme as d
    >>> from psd import IOCQ, IOSQ, PRP, SQE
    >>> nvme0 = d.Controller("sim")
    >>> cq = IOCQ(nvme0, 5, 16, PRP())
    >>> sq = IOSQ(nvme0, 5, 16, PRP(), cqid=5)
    >>> sq[15] = SQE(2, 1)
    >>> sq[15].opcode
    2
    >>> sq.delete()
    >>> cq.delete()
    >>> nvme0.close()
    """

    _ENTRY_BYTES = 64
    _CREATE = _CREATE_IO_SQ
    _DELETE = _DELETE_IO_SQ
    _DOORBELL = 0

    def __init__(
        self,
        nvme: Controller,
        qid: int,
        qsize: int,
        prp: Buffer | PRPList,
        cqid: int = 1,
        pc: bool | None = None,
        qprio: int = 0,
        nvmsetid: int = 0,
    ) -> None:
        self._pointers: dict[int, tuple[Buffer | PRPList, ...]] = {}  # by entry
        self.cqid = _bits("cqid", cqid, 16)
        cdw11 = _bits("qprio", qprio, 2) << 1 | self.cqid << 16
        super().__init__(nvme, qid, qsize, prp, pc, cdw11, _bits("nvmsetid", nvmsetid, 16))

    def _device_memory(self) -> object:
        return self._memory, self._pointers

    def __setitem__(self, index: int, sqe: SQE) -> None:
        buf, at = self._place(index)
        buf[at : at + 64] = bytes(sqe)
        self._pointers[index] = tuple(sqe._pointers.values())

    def __getitem__(self, index: int) -> SQE:
        """The entry as the memory holds it now; read anew each time."""
        buf, at = self._place(index)
        return SQE(*struct.unpack("<16I", buf[at : at + 64]))

    @property
    def tail(self) -> int:
        """SQ Tail Doorbell. Setting it writes the register, whatever the value; what it gives back
        is the value written last, because doorbells are not for reading (PCIe Transport 1.0
        §3.1.2).

        >>> import nvme as d
        >>> from psd import IOCQ, IOSQ, PRP, SQE
        >>> nvme0 = d.Controller("sim")
        >>> cq = IOCQ(nvme0, 5, 16, PRP())
        >>> sq = IOSQ(nvme0, 5, 16, PRP(), cqid=5)
        >>> sq[0] = SQE(0, 1)  # Flush
        >>> sq.tail = 1
        >>> while cq[0].p == 0: pass
        >>> sq.tail
        1
        >>> sq.delete()
        >>> cq.delete()
        >>> nvme0.close()
        """
        return self._doorbell_value

    @tail.setter
    def tail(self, value: int) -> None:
        self._ring(value)
