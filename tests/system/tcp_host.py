# A tiny NVMe/TCP host for the target's tests: sockets and bytes, transcribed from NVMe TCP
# Transport 1.0 and NVMe Base 2.0; it shares nothing with the driver.
"""Host, a connection to an NVMe/TCP target."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator

HOSTNQN = "nqn.2014-08.org.nvmexpress:uuid:11111111-2222-3333-4444-555555555555"
HOSTID = bytes(range(16))
DISCOVERY = "nqn.2014-08.org.nvmexpress.discovery"

ICREQ, ICRESP, H2C_TERM, C2H_TERM, COMMAND, RESPONSE, H2C_DATA, C2H_DATA, R2T = (
    0, 1, 2, 3, 4, 5, 6, 7, 9,
)  # fmt: skip

_TABLE = []
for _byte in range(256):
    for _ in range(8):
        _byte = (_byte >> 1) ^ (0x82F63B78 if _byte & 1 else 0)
    _TABLE.append(_byte)


def crc32c(data: bytes) -> int:
    """CRC-32C, as both digests have it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def sgl(kind: int, length: int, offset: int = 0) -> bytes:
    """An SGL descriptor: 01h in capsule, 5Ah transport."""
    return struct.pack("<QI3xB", offset, length, kind)


def sqe(
    opcode: int, *, nsid: int = 0, cid: int = 0, data: bytes = bytes(16), **dwords: int
) -> bytes:
    """A submission queue entry with PSDT 01b; cdw2 to cdw15 by name."""
    words = [dwords.get(f"cdw{i}", 0) for i in range(16)]
    flags = dwords.get("flags", 0x40)
    head = struct.pack("<BBHI", opcode, flags, cid, nsid) + struct.pack("<II", words[2], words[3])
    return head + bytes(8) + data + struct.pack("<6I", *words[10:16])


@contextlib.contextmanager
def held_port() -> Iterator[int]:
    """A port at which nobody listens, and that nobody else on this machine gets: a target may."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


class Pdu:
    """A PDU from the target."""

    def __init__(self, raw: bytes, data: bytes) -> None:
        self.raw, self.data = raw, data
        self.type, self.flags, self.hlen, self.pdo, self.plen = struct.unpack_from("<BBBBI", raw)

    def u16(self, offset: int) -> int:
        """A field of the header."""
        return int(struct.unpack_from("<H", self.raw, offset)[0])

    def u32(self, offset: int) -> int:
        """A field of the header."""
        return int(struct.unpack_from("<I", self.raw, offset)[0])

    @property
    def cid(self) -> int:
        """Of a CapsuleResp."""
        return self.u16(20)

    @property
    def status(self) -> int:
        """SCT and SC of a CapsuleResp, as 0xTCC; DNR and More are not in it."""
        return self.u16(22) >> 1 & 0x7FF

    @property
    def dnr(self) -> bool:
        """Do Not Retry of a CapsuleResp."""
        return bool(self.u16(22) & 0x8000)

    @property
    def cdw0(self) -> int:
        """Of a CapsuleResp."""
        return self.u32(8)


class Host:
    """One connection; the queue it is depends on connect()."""

    def __init__(
        self, port: int, *, digests: int = 0, timeout: float = 20.0, host: str = "127.0.0.1"
    ):
        self.socket = socket.create_connection((host, port), timeout=timeout)
        self.digests = 0
        self.wanted = digests
        self.cntlid = 0xFFFF
        self.next_cid = 1
        self.icresp: Pdu | None = None

    def __enter__(self) -> Host:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()

    def send(self, raw: bytes) -> None:
        """Bytes as they are."""
        self.socket.sendall(raw)

    def receive(self, count: int) -> bytes:
        """That many bytes; EOFError when the target closes before."""
        parts = b""
        while len(parts) < count:
            try:
                part = self.socket.recv(count - len(parts))
            except ConnectionResetError:
                part = b""
            if not part:
                raise EOFError
            parts += part
        return parts

    def pdu(self) -> Pdu:
        """The next PDU; its digests are checked."""
        head = self.receive(8)
        kind, flags, hlen, pdo, plen = struct.unpack("<BBBBI", head)
        raw = head + self.receive(hlen - 8)
        taken = hlen
        if flags & 1 and kind not in (ICRESP, C2H_TERM):
            assert struct.unpack("<I", self.receive(4))[0] == crc32c(raw)
            taken += 4
        data = b""
        if plen > taken:
            digest = 4 if kind == C2H_DATA and flags & 2 else 0
            start = pdo if kind == C2H_DATA else taken
            self.receive(start - taken)
            data = self.receive(plen - start - digest)
            if digest:
                assert struct.unpack("<I", self.receive(4))[0] == crc32c(data)
        return Pdu(raw, data)

    def closed(self) -> bool:
        """Whether the target closes without another byte."""
        try:
            self.receive(1)
        except EOFError:
            return True
        return False

    def icreq(self, *, pfv: int = 0, hpda: int = 0, maxr2t: int = 0) -> Pdu:
        """The handshake; what comes back."""
        self.send(
            struct.pack("<BBBBIHBBI", ICREQ, 0, 128, 0, 128, pfv, hpda, self.wanted, maxr2t)
            + bytes(112)
        )
        answer = self.pdu()
        if answer.type == ICRESP:
            self.digests = answer.raw[11]
            self.icresp = answer
        return answer

    def encode(self, kind: int, header: bytes, data: bytes = b"", flags: int = 0) -> bytes:
        """A PDU with the digests that were agreed on; header: what follows the common one."""
        hlen = 8 + len(header)
        hdgst, ddgst = self.digests & 1, self.digests >> 1 & 1
        pdo = hlen + 4 * hdgst
        plen = pdo + (len(data) + 4 * ddgst if data else 0)
        flags |= hdgst | (2 if ddgst and data else 0)
        raw = struct.pack("<BBBBI", kind, flags, hlen, pdo if data else 0, plen) + header
        raw += struct.pack("<I", crc32c(raw)) if hdgst else b""
        if data:
            raw += data + (struct.pack("<I", crc32c(data)) if ddgst else b"")
        return raw

    def cid(self) -> int:
        """A CID that is not in use."""
        self.next_cid = self.next_cid % 0xFFFF + 1
        return self.next_cid

    def command(
        self,
        opcode: int,
        *,
        write: bytes = b"",
        read: int = 0,
        transport: bool = False,
        wait: bool = True,
        cid: int | None = None,
        **fields: int,
    ) -> tuple[Pdu | None, bytes]:
        """One command, and its completion (None if C2HData stood for it) and data.

        write: in the capsule, unless transport says by R2T. `fctype` makes a Fabrics command.
        """
        cid = self.cid() if cid is None else cid
        pointer = bytes(16)
        if write:
            pointer = sgl(0x5A if transport else 0x01, len(write))
        elif read:
            pointer = sgl(0x5A, read)
        nsid = fields.pop("nsid", 0)
        entry = sqe(opcode, nsid=nsid, cid=cid, data=pointer, **fields)
        self.send(self.encode(COMMAND, entry, b"" if transport else write))
        if not wait:
            return None, b""
        return self.completion(cid, write, read)

    def completion(self, cid: int, write: bytes = b"", read: int = 0) -> tuple[Pdu | None, bytes]:
        """Serve R2Ts and collect data until the command is complete."""
        data = bytearray(read)
        while True:
            pdu = self.pdu()
            if pdu.type == R2T:
                assert pdu.u16(8) == cid
                self.answer_r2t(pdu, write)
            elif pdu.type == C2H_DATA:
                assert pdu.u16(8) == cid
                offset, length = pdu.u32(12), pdu.u32(16)
                assert length == len(pdu.data)
                data[offset : offset + length] = pdu.data
                if pdu.flags & 8:
                    assert pdu.flags & 4
                    return None, bytes(data)
            else:
                assert pdu.type == RESPONSE, pdu.type
                assert pdu.cid == cid
                return pdu, bytes(data)

    def answer_r2t(self, pdu: Pdu, write: bytes) -> None:
        """With as many H2CData PDUs as MAXH2CDATA asks for."""
        assert self.icresp is not None
        most = self.icresp.u32(12)
        offset, length = pdu.u32(12), pdu.u32(16)
        for at in range(offset, offset + length, most):
            piece = write[at : min(at + most, offset + length)]
            last = 4 if at + len(piece) == offset + length else 0
            header = struct.pack("<HHII4x", pdu.u16(8), pdu.u16(10), at, len(piece))
            self.send(self.encode(H2C_DATA, header, piece, last))

    def connect(
        self,
        nqn: str,
        *,
        qid: int = 0,
        cntlid: int = 0xFFFF,
        sqsize: int = 31,
        cattr: int = 0,
        kato: int = 0,
        recfmt: int = 0,
        hostnqn: str = HOSTNQN,
        hostid: bytes = HOSTID,
    ) -> Pdu:
        """Connect; its response."""
        data = hostid + struct.pack("<H", cntlid) + bytes(238)
        data += nqn.encode().ljust(256, b"\0") + hostnqn.encode().ljust(256, b"\0") + bytes(256)
        response, _ = self.command(
            0x7F, write=data, nsid=1,
            cdw10=recfmt | qid << 16, cdw11=sqsize | cattr << 16, cdw12=kato,
        )  # fmt: skip
        assert response is not None
        if response.status == 0:
            self.cntlid = response.cdw0 & 0xFFFF
        return response

    def property_get(self, offset: int, size: int = 4) -> int:
        """A property; the command succeeds."""
        response, _ = self.command(0x7F, nsid=4, cdw10=1 if size == 8 else 0, cdw11=offset)
        assert response is not None
        assert response.status == 0
        return response.u32(8) | (response.u32(12) << 32 if size == 8 else 0)

    def property_set(self, offset: int, value: int) -> Pdu:
        """A property of 4 bytes."""
        response, _ = self.command(0x7F, nsid=0, cdw10=0, cdw11=offset, cdw12=value)
        assert response is not None
        return response

    def enable(self) -> None:
        """CC.EN, and CSTS.RDY follows."""
        assert self.property_set(0x14, 0x00460001).status == 0
        while not self.property_get(0x1C) & 1:
            pass


def admin(port: int, nqn: str, *, digests: int = 0, **options: object) -> Host:
    """An admin queue with an enabled controller."""
    host = Host(port, digests=digests)
    assert host.icreq().type == ICRESP
    assert host.connect(nqn, **options).status == 0  # type: ignore[arg-type]
    host.enable()
    return host


def io(queue: Host, port: int, nqn: str, qid: int = 1, *, sqsize: int = 63, cattr: int = 0) -> Host:
    """An I/O queue of the admin queue's controller, with its digests."""
    host = Host(port, digests=queue.wanted)
    assert host.icreq().type == ICRESP
    response = host.connect(nqn, qid=qid, cntlid=queue.cntlid, sqsize=sqsize, cattr=cattr)
    assert response.status == 0
    return host
