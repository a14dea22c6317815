# The public Controller: initialisation by the script's choice, and what is made of several
# commands. Commands and registers are the C++ class's.
"""Controller."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nvme import _core, wire_faults
from nvme.address import address_text
from nvme.arguments import integer
from nvme.buffer import Buffer
from nvme.cmdlog import controllers, show
from nvme.errors import ArgumentError, ArgumentTypeError
from nvme.identify import identify_field
from nvme.status import warn_of

if TYPE_CHECKING:
    from nvme.pcie import Pcie
    from nvme.ssd import Ssd

    InitFunction = Callable[["Controller"], object]

_EFFECTS_LOG = 0x05
_FW_DOWNLOAD, _FW_COMMIT = 0x11, 0x10
_FW_CHUNK_BYTES = 4096
_PDUS = {"ICReq": 0, "CapsuleCmd": 4, "H2CData": 6}  # NVMe TCP Transport 1.0 §3.6.1


class Controller(_core.Controller):
    """An NVMe controller: registers and admin commands.

    Args:
        pcie: a Pcie, an Ssd, or an address ("sim", "01:00.0", str or bytes)
        nvme_init_func: how to initialise it. None: as NVMe Base 2.0 §3.5.1 says; True: not at all;
            a callable: nvme_init_func(nvme0) does it, with init_adminq(), init_ns() and
            init_queues()

    `nvme0[offset]` is a register of 32 bits. Commands are sent at once and return self, so
    `nvme0.getfeatures(7).waitdone()` sends one and waits for it. Raises NvmeEnumerateError when the
    device cannot be opened or brought up.

    >>> import nvme as d
    >>> nvme0 = d.Controller("sim")
    >>> nvme0[0x1c] & 1  # CSTS.RDY
    1
    >>> nvme0.id_data(63, 24, str).strip()
    'pynvme embedded SSD'
    >>> nvme0.close()
    """

    def __init__(
        self,
        pcie: Pcie | Ssd | str | bytes,
        nvme_init_func: InitFunction | Literal[True] | None = None,
    ) -> None:
        if (
            nvme_init_func is not None
            and nvme_init_func is not True
            and not callable(nvme_init_func)
        ):
            raise ArgumentError("nvme_init_func must be None, True or callable")
        self._init_func = nvme_init_func
        if isinstance(pcie, _core.Pcie):
            super().__init__(pcie)
        else:
            super().__init__(address_text(pcie))
        controllers.add(self)
        try:
            # One that another object brought up is shared as it is: its queues stay.
            if nvme_init_func is not None or not _core.controller_initialised(self):
                self._initialise()
        except BaseException:
            self.close()  # nobody else could
            raise

    def _initialise(self) -> None:
        if self._init_func is None:
            _core.controller_initialise(self)
        elif self._init_func is not True:
            self._init_func(self)

    def reset(self) -> None:
        """Controller reset by CC.EN, and initialisation as when the object was made.

        IO queues are gone afterwards. Needed after Pcie.reset(), Pcie.flr(), Subsystem.reset() and
        Subsystem.poweron().

        >>> import nvme as d
        >>> nvme0 = d.Controller("sim")
        >>> nvme0.reset()
        >>> nvme0.close()
        """
        if self._init_func is None:
            _core.controller_initialise(self)
            return
        _core.controller_disable(self)
        self._initialise()

    def id_data(
        self,
        byte_end: int,
        byte_begin: int | None = None,
        type: type = int,
        nsid: int = 0,
        cns: int = 1,
        cntid: int = 0,
        csi: int = 0,
        nvmsetid: int = 0,
    ) -> Any:
        """A field of Identify data, little-endian. Sends Identify and waits for it; no waitdone().

        Args:
            byte_end, byte_begin: both inclusive, as the specification writes them (63:24);
                byte_begin is byte_end when it is left out
            type: int, str or bytes
            nsid, cns, cntid, csi, nvmsetid: as of identify()

        An Identify that fails is a warning `ERROR status: ...`, and the field reads as zero.

        >>> import nvme as d
        >>> nvme0 = d.Controller("sim")
        >>> vendor_id = nvme0.id_data(1, 0)
        >>> nvme0.close()
        """
        return identify_field(self, byte_end, byte_begin, type, nsid, cns, cntid, csi, nvmsetid)

    def supports(self, opcode: int) -> bool:
        """Whether the Commands Supported and Effects log (05h) lists the admin command.

        Args:
            opcode: 0 to 255

        Reads the log page and waits for it; no waitdone().

        >>> import nvme as d
        >>> nvme0 = d.Controller("sim")
        >>> nvme0.supports(0x06)  # Identify
        True
        >>> nvme0.close()
        """
        return supported(self, opcode, 0)

    def downfw(self, filename: str | Path, slot: int = 0, action: int = 1) -> None:
        """Download a firmware image and commit it. Not a command: no waitdone().

        Args:
            filename: the image; its length must be a multiple of 4
            slot: 0 (the controller's choice) to 7
            action: Commit Action, 0 to 7; 1: replace the image of the slot and activate it at the
                next reset

        The image goes in parts of 4 KiB. A part or a commit that fails is a warning
        `ERROR status: ...`, and nothing more is sent.

        >>> import tempfile
        >>> import nvme as d
        >>> nvme0 = d.Controller("sim")
        >>> with tempfile.NamedTemporaryFile() as image:
        ...     length = image.write(bytes(8192))
        ...     image.flush()
        ...     nvme0.downfw(image.name, slot=1, action=0)
        >>> nvme0.close()
        """
        slot, action = integer("slot", slot, 0, 7), integer("action", action, 0, 7)
        if not isinstance(filename, str | os.PathLike):
            raise ArgumentTypeError(f"filename must be a path, not {type(filename).__name__}")
        image = Path(filename).read_bytes()
        if not image or len(image) % 4 != 0:
            raise ArgumentError(f"{filename}: {len(image)} bytes are no multiple of 4 above 0")
        for offset in range(0, len(image), _FW_CHUNK_BYTES):
            chunk = image[offset : offset + _FW_CHUNK_BYTES]
            buf = Buffer(len(chunk), "firmware image")
            buf[:] = chunk
            _, status1 = _core.controller_execute(
                self, _FW_DOWNLOAD, buf, cdw10=len(chunk) // 4 - 1, cdw11=offset // 4
            )
            if warn_of(status1):
                return
        _, status1 = _core.controller_execute(self, _FW_COMMIT, None, cdw10=action << 3 | slot)
        warn_of(status1)

    def cmdlog(self, count: int = 0) -> str:
        """Print and return the newest `count` admin commands with their completions, oldest first.

        Args:
            count: 0: all that are kept, the last 4096

        >>> import nvme as d
        >>> nvme0 = d.Controller("sim")
        >>> queues = nvme0.getfeatures(7).waitdone()
        >>> text = nvme0.cmdlog(1)
        cmdlog of the admin queue
        ... Get Features (0Ah)...Successful Completion (00/00)...
        >>> nvme0.close()
        """
        return show("the admin queue", _core.controller_cmdlog(self, count))

    def fault(
        self,
        action: str,
        pdu: str | None = None,
        *,
        queue: int | None = None,
        skip: int = 0,
        count: int = 1,
        delay: float = 0.0,
    ) -> None:
        """Spoil PDUs that this host sends from now on, to test an NVMe/TCP target.

        The words are those of `nvme.target.Target.fault()`, which spoils PDUs of a target.

        Args:
            action: "corrupt header" or "corrupt data" (a byte, after its digest was computed),
                "truncate" (half of the PDU, then the end of the connection), "oversize" (PLEN says
                1 MiB more than there is), "duplicate", "drop", "swap" (after the PDU that follows),
                "delay", "half-open" (neither this PDU nor anything more, the connection stays),
                "reset" (of the connection, instead of the PDU), "stop reading" (it is sent, and
                the target is not listened to any more)
            pdu: "ICReq", "CapsuleCmd" or "H2CData"; any when left out
            queue: of this queue identifier, 0 to 65535; 0 is the admin queue, with Keep Alive and
                the properties. Of any queue when left out
            skip: PDUs that match and pass before
            count: PDUs that it befalls
            delay: seconds, for "delay", 0 to 3600

        Whoever waits for a command whose queue ends by it gets a SystemError, a command that gets
        no answer times out; reset() connects anew, and keeps the faults that are left.

        Raises:
            ArgumentError: no such action or PDU, or the controller is a PCIe function, which knows
                no PDUs

        >>> import nvme as d
        >>> from nvme.target import Target
        >>> target = Target("sim:capacity=1GiB,latency=0")
        >>> nvme0 = d.Controller(target.address + ";hdgst=1")
        >>> qpair = d.Qpair(nvme0, 16)
        >>> nvme0.fault("corrupt header", "CapsuleCmd", queue=qpair.sqid)
        >>> d.Namespace(nvme0).read(qpair, d.Buffer(512), 0).waitdone()
        Traceback (most recent call last):
        SystemError: ...: the target sent C2HTermReq: Header Digest Error ...
        >>> nvme0.close()
        >>> target.close()
        """

        def plant(*fault: Any) -> None:
            _core.wire_fault(self, *fault)

        wire_faults.add(plant, _PDUS, action, pdu, queue, skip, count, delay)

    @property
    def faults(self) -> int:
        """PDUs that fault() is still to spoil.

        >>> import nvme as d
        >>> from nvme.target import Target
        >>> target = Target("sim:capacity=1GiB,latency=0")
        >>> nvme0 = d.Controller(target.address)
        >>> nvme0.fault("drop", "H2CData", count=3)
        >>> nvme0.faults
        3
        >>> nvme0.close()
        >>> target.close()
        """
        return _core.wire_faults_left(self)

    def clear_faults(self) -> None:
        """Spoil no more PDUs. A connection that is half-open or not read stays so until reset().

        >>> import nvme as d
        >>> from nvme.target import Target
        >>> target = Target("sim:capacity=1GiB,latency=0")
        >>> nvme0 = d.Controller(target.address)
        >>> nvme0.fault("drop", "H2CData")
        >>> nvme0.clear_faults()
        >>> nvme0.faults
        0
        >>> nvme0.close()
        >>> target.close()
        """
        _core.clear_wire_faults(self)


def supported(nvme: _core.Controller, opcode: int, log_offset: int, csi: int = 0) -> bool:
    """CSUPP of a command in the Commands Supported and Effects log (NVMe Base 2.0 §5.16.1.6)."""
    opcode = integer("opcode", opcode, 0, 0xFF)
    buf = Buffer(4096, "commands supported and effects")
    numd = len(buf) // 4 - 1
    _, status1 = _core.controller_execute(
        nvme, 0x02, buf, 0xFFFFFFFF, cdw10=numd << 16 | _EFFECTS_LOG, cdw14=csi << 24
    )
    if warn_of(status1):
        return False
    return bool(buf[log_offset + opcode * 4] & 1)
