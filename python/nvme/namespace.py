# The public Namespace: formats, Identify data and IOWorkers on top of the C++ class's commands.
"""Namespace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nvme import _core
from nvme.arguments import integer
from nvme.buffer import Buffer
from nvme.controller import Controller, supported
from nvme.errors import ArgumentError
from nvme.identify import identify_field
from nvme.ioworker import IOWorker, checked_call
from nvme.status import warn_of

_FORMAT_NVM = 0x80
_CC = 0x14
_CC_CSS_ALL = 6
_NIDT_CSI = 4
_IO_EFFECTS_OFFSET = 1024  # of the IO commands in the Commands Supported and Effects log


class Namespace(_core.Namespace):
    """A namespace: IO commands, data verification and IOWorkers.

    Args:
        nvme: its Controller
        nsid: 1 to 0xfffffffe
        nlba_verify: how many LBAs, from 0 on, data verification knows; 0: all

    Raises NamespaceCreationError when the namespace is not active, and a subclass of that and
    AssertionError for a wrong argument.

    >>> import nvme as d
    >>> nvme0 = d.Controller("sim")
    >>> nvme0n1 = d.Namespace(nvme0)
    >>> nvme0n1.capacity == nvme0n1.id_data(7, 0)
    True
    >>> nvme0.close()
    """

    def __init__(self, nvme: Controller, nsid: int = 1, nlba_verify: int = 0) -> None:
        super().__init__(nvme, nsid, nlba_verify)
        self._nvme = nvme

    def id_data(
        self,
        byte_end: int,
        byte_begin: int | None = None,
        type: type = int,
        nsid: int | None = None,
        cns: int = 0,
        cntid: int = 0,
        csi: int = 0,
        nvmsetid: int = 0,
    ) -> Any:
        """A field of the namespace's Identify data, little-endian. Needs no waitdone().

        Args:
            byte_end, byte_begin: both inclusive; byte_begin is byte_end when it is left out
            type: int, str or bytes
            nsid: this namespace when it is left out
            cns, cntid, csi, nvmsetid: as of Controller.identify()

        >>> import nvme as d
        >>> nvme0 = d.Controller("sim:capacity=1GiB")
        >>> nvme0n1 = d.Namespace(nvme0)
        >>> nvme0n1.id_data(7, 0)  # NSZE, in LBAs
        2097152
        >>> nvme0n1.id_data(25)  # NLBAF, 0-based
        1
        >>> nvme0.close()
        """
        return identify_field(
            self._nvme,
            byte_end,
            byte_begin,
            type,
            self.nsid if nsid is None else nsid,
            cns,
            cntid,
            csi,
            nvmsetid,
        )

    def supports(self, opcode: int) -> bool:
        """Whether the Commands Supported and Effects log (05h) lists the IO command.

        Args:
            opcode: 0 to 255

        Reads the log page and waits for it; no waitdone().

        >>> import nvme as d
        >>> nvme0 = d.Controller("sim")
        >>> nvme0n1 = d.Namespace(nvme0)
        >>> nvme0n1.supports(0x02), nvme0n1.supports(0x7d)  # Read, Zone Append
        (True, False)
        >>> nvme0.close()
        """
        return supported(self._nvme, opcode, _IO_EFFECTS_OFFSET, self._command_set())

    def _command_set(self) -> int:
        """CSI, of the namespace's identification descriptors (NVMe Base 2.0 §5.17.2.4)."""
        # Only a controller that was told to use all I/O command sets has several (CC.CSS).
        if self._nvme[_CC] >> 4 & 7 != _CC_CSS_ALL:
            return 0
        buf = Buffer(4096, "namespace identification descriptors")
        _, status1 = _core.controller_execute(self._nvme, 0x06, buf, self.nsid, cdw10=3)
        at = 0
        while not status1 >> 1 and at < len(buf) and buf[at] != 0:
            if buf[at] == _NIDT_CSI:
                return buf[at + 4]
            at += 4 + buf[at + 1]
        return 0

    def get_lba_format(self, data_size: int = 512, meta_size: int = 0) -> int | None:
        """Index of the LBA format with these bytes of data and metadata; None when there is none.

        Args:
            data_size, meta_size: bytes of an LBA

        >>> import nvme as d
        >>> nvme0 = d.Controller("sim")
        >>> nvme0n1 = d.Namespace(nvme0)
        >>> nvme0n1.get_lba_format(512, 0) is not None
        True
        >>> nvme0.close()
        """
        data_size = integer("data_size", data_size, 0, 2**32)
        meta_size = integer("meta_size", meta_size, 0, 2**32)
        for index in range(self.id_data(25) + 1):  # NLBAF, 0's based
            lbaf = self.id_data(131 + 4 * index, 128 + 4 * index)
            lbads = lbaf >> 16 & 0xFF
            if lbads != 0 and 1 << lbads == data_size and lbaf & 0xFFFF == meta_size:
                return index
        return None

    def format(self, data_size: int = 512, meta_size: int = 0, ses: int = 0) -> None:
        """Format NVM with the LBA format of these sizes; all data go. Needs no waitdone().

        Args:
            data_size, meta_size: bytes of an LBA
            ses: Secure Erase Settings, 0: none, 1: user data, 2: cryptographic

        AssertionError when there is no such format.

        >>> import nvme as d
        >>> nvme0 = d.Controller(d.Ssd(capacity="1GiB"))
        >>> nvme0n1 = d.Namespace(nvme0)
        >>> nvme0n1.format(4096)
        >>> nvme0n1.sector_size
        4096
        >>> nvme0.close()
        """
        index = self.get_lba_format(data_size, meta_size)
        if index is None:
            raise ArgumentError(
                f"namespace {self.nsid} of {self._nvme.addr} has no LBA format of {data_size} "
                f"bytes of data and {meta_size} of metadata"
            )
        ses = integer("ses", ses, 0, 7)
        cdw10 = index & 0xF | ses << 9 | index >> 4 << 12
        _, status1 = _core.controller_execute(self._nvme, _FORMAT_NVM, None, self.nsid, cdw10=cdw10)
        warn_of(status1)
        _core.namespace_refresh(self)

    @checked_call
    def ioworker(
        self,
        io_size: int | range | Sequence[int] | Mapping[int, int] = 8,
        lba_step: int | None = None,
        lba_align: int | Sequence[int] | None = None,
        lba_random: bool | int = True,
        read_percentage: int = 100,
        op_percentage: dict[int, int] | None = None,
        time: float = 0,
        qdepth: int = 64,
        region_start: int = 0,
        region_end: int = 2**64 - 1,
        iops: int = 0,
        io_count: int = 0,
        lba_start: int = 0,
        qprio: int = 0,
        distribution: Sequence[int] | None = None,
        ptype: int = 0xBEEF,
        pvalue: int = 100,
        io_sequence: Sequence[tuple[int, int, int, int]] | None = None,
        fw_debug: bool = False,
        output_io_per_second: list[int] | None = None,
        output_percentile_latency: dict[float, float | None] | None = None,
        output_cmdlog_list: list[Any] | None = None,
    ) -> IOWorker:
        """A workload with a queue pair and a native thread of its own.

        Args:
            io_size: LBAs of an IO, 1 to 65536: one number, a range or list (all alike often), or
                {size: ratio}
            lba_step: sequential IO: LBAs from the start of one IO to that of the next; may be
                negative; the size of the IO when it is left out
            lba_align: addresses are multiples of it, in LBAs; one number, or one for each size
            lba_random: True, False, or per cent of the IOs, 0 to 100
            read_percentage: 0 to 100; the rest are writes
            op_percentage: {opcode: per cent} instead, adding up to 100; overwritten with how many
                of each were sent
            time: seconds, 0 to 3600000; 0: no limit
            qdepth: commands under way, 1 to min(1024, MQES + 1)
            region_start, region_end: first LBA, and the first one behind; clipped to the namespace
            iops: the pace in IOs a second, 0 to 1e9; 0: as fast as it goes
            io_count: IOs, 0 to 2**63-1; 0: no limit
            lba_start: LBA where sequential IO begins; outside of the region: region_start
            qprio: queue priority under weighted round robin, 0 (urgent) to 3 (low)
            distribution: 100 numbers that add up to 10000: IOs in each hundredth of the region
            ptype, pvalue: data pattern, as of Buffer
            io_sequence: [(time_us, opcode, slba, nlb), ...] replayed; times in microseconds from
                the start, not falling
            fw_debug: stop dead at the first error, and leave the queue on the device as it is
            output_io_per_second: an empty list, gets the IOs sent in each second
            output_percentile_latency: {percentile: None}, 0 to 100 both inclusive, gets
                microseconds
            output_cmdlog_list: a list of length n, gets the last n commands (slba, nlb, opcode),
                oldest first

        ArgumentError when a value is outside of its bounds or nothing would end the worker. Sizes
        larger than MDTS are told by close(): `error` is -2.

        Fixed size, sequential, and neither time nor io_count: one pass over the region. The first
        command error stops the worker; a warning says what it was.

        Returns the IOWorker; start() starts it, close() waits and returns the result, `with` does
        both.

        >>> import nvme as d
        >>> nvme0 = d.Controller("sim")
        >>> nvme0n1 = d.Namespace(nvme0)
        >>> r = nvme0n1.ioworker(io_size=8, lba_random=True, qdepth=16, read_percentage=0,
        ...                      io_count=1000).start().close()
        >>> r.io_count_write
        1000
        >>> nvme0.close()
        """
        arguments = dict(locals())
        del arguments["self"]
        return IOWorker(self, **arguments)
