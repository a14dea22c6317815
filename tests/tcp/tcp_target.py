# A test's own peer: independent of src/ssd/tcp on purpose.
"""A small NVMe/TCP target in Python, for tests of the host: it shares no code with the product, and
can be told to break the rules. One subsystem, one namespace in memory, a thread a connection.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
import traceback
from collections.abc import Callable
from typing import Any

DISCOVERY = "nqn.2014-08.org.nvmexpress.discovery"
IC_REQ, IC_RESP, H2C_TERM, C2H_TERM, CMD, RESP, H2C_DATA, C2H_DATA, R2T = 0, 1, 2, 3, 4, 5, 6, 7, 9
HDGST, DDGST, LAST, SUCCESS = 1, 2, 4, 8


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


class Connection:
    """One queue: PDUs in and out."""

    def __init__(self, target: Target, sock: socket.socket) -> None:
        self.target, self.sock = target, sock
        self.hdgst = self.ddgst = 0
        self.cpda = 1
        self.qid = -1
        self.received: list[tuple[int, int, bytes]] = []  # type, flags, header
        self.data_may_come = False  # of R2Ts that break the rules, before that is noticed
        self.term: bytes | None = None
        self.sqhd = 0
        self.entries = 1024
        self.over = threading.Event()  # whatever the host sent was read

    def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.sock.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def pdu(self) -> tuple[int, int, bytes, bytes]:
        """Type, flags, header, data of the next PDU."""
        common = self.read(8)
        kind, flags, hlen, pdo, plen = struct.unpack("<BBBBI", common)
        header = common + self.read(hlen - 8)
        done = hlen
        if flags & HDGST:
            (digest,) = struct.unpack("<I", self.read(4))
            assert digest == crc32c(header)
            done += 4
        assert bool(flags & HDGST) == bool(self.hdgst) or kind in (IC_REQ, H2C_TERM)
        data = b""
        if pdo:
            assert pdo % self.cpda == 0
            self.read(pdo - done)
            data = self.read(plen - pdo - (4 if flags & DDGST else 0))
            if flags & DDGST:
                (digest,) = struct.unpack("<I", self.read(4))
                assert digest == crc32c(data)
        elif plen > done:
            data = self.read(plen - done)
        self.received.append((kind, flags, header))
        return kind, flags, header, data

    def send(
        self, kind: int, flags: int, rest: bytes, data: bytes | None = None, **fake: Any
    ) -> None:
        """A PDU; `fake` overrides hlen, pdo, plen, hdgst, ddgst, kind."""
        hlen = 8 + len(rest)
        digests = kind not in (IC_RESP, C2H_TERM)
        hd = 4 if digests and self.hdgst else 0
        flags |= HDGST if hd else 0
        pdo, tail = 0, b""
        plen = hlen + hd
        if data is not None:
            align = self.target.pdo_align
            pdo = (plen + align - 1) // align * align
            tail = data
            plen = pdo + len(data)
            if self.ddgst:
                flags |= DDGST
                tail += struct.pack("<I", fake.get("ddgst", crc32c(data)))
                plen += 4
        header = struct.pack(
            "<BBBBI", fake.get("kind", kind), fake.get("flags", flags), fake.get("hlen", hlen),
            fake.get("pdo", pdo), fake.get("plen", plen),
        ) + rest  # fmt: skip
        out = header
        if hd:
            out += struct.pack("<I", fake.get("hdgst", crc32c(header)))
        if data is not None:
            out += bytes(pdo - len(out)) + tail
        self.sock.sendall(out)

    def respond(self, cid: int, status: int = 0, cdw0: int = 0, cdw1: int = 0) -> None:
        self.send(RESP, 0, struct.pack("<IIHHHH", cdw0, cdw1, self.sqhd, 0, cid, status << 1))

    def c2h(self, cid: int, offset: int, data: bytes, flags: int = LAST, **fake: Any) -> None:
        rest = struct.pack("<HHIII", fake.pop("cccid", cid), 0, offset, len(data), 0)
        self.send(C2H_DATA, flags, rest, data, **fake)

    def serve(self) -> None:
        kind, _, header, _ = self.pdu()
        assert kind == IC_REQ
        pfv, self.hpda, dgst, self.maxr2t = struct.unpack("<HBBI", header[8:16])
        assert pfv == 0
        granted = dgst & self.target.digests
        self.cpda = 4 * (self.target.cpda + 1)
        if self.target.on_ic is not None and self.target.on_ic(self):
            return
        self.send(
            IC_RESP, 0,
            struct.pack("<HBBI", 0, self.target.cpda, granted, self.target.maxh2cdata) + bytes(112),
        )  # fmt: skip
        self.hdgst, self.ddgst = granted & 1, granted >> 1 & 1
        while True:
            kind, _, header, data = self.pdu()
            if kind == H2C_TERM:
                self.term = header + data
                return
            if kind == H2C_DATA and self.data_may_come:
                continue
            assert kind == CMD, kind
            self.command(header[8:72], data)

    def command(self, sqe: bytes, data: bytes) -> None:
        opcode, _, cid = struct.unpack("<BBH", sqe[:4])
        address, length, ident = *struct.unpack("<QI", sqe[24:36]), sqe[39]
        self.sqhd = (self.sqhd + 1) % self.entries
        assert sqe[1] >> 6 == 1  # PSDT
        assert ident == (0x01 if data else 0x5A)
        assert address == 0
        if self.target.on_command is not None and self.target.on_command(self, sqe, data):
            return
        if opcode == 0x7F:
            self.fabrics(sqe, data, cid)
        elif self.qid == 0:
            self.admin(sqe, cid, opcode, length)
        else:
            self.io(sqe, data, cid, opcode, length)

    def fabrics(self, sqe: bytes, data: bytes, cid: int) -> None:
        kind = sqe[4]
        target = self.target
        if kind == 1:
            _, self.qid, sqsize, _, _, kato = struct.unpack("<HHHBBI", sqe[40:52])
            subnqn, hostnqn = (data[at : at + 256].split(b"\0")[0].decode() for at in (256, 512))
            target.connects.append((self.qid, sqsize, kato, subnqn, hostnqn, data[:16]))
            self.entries = sqsize + 1
            self.discovery = subnqn == DISCOVERY
            if not self.discovery and subnqn not in target.subsystems:
                return self.respond(cid, 0x182, 0x10000 | 256)
            if self.qid == 0:
                self.cc = self.csts = 0
            return self.respond(cid, 0, 1)
        attrib, offset, value = sqe[40], *struct.unpack("<IQ", sqe[44:56])
        if kind == 4:
            properties = {0: target.cap, 8: 0x10400, 0x14: self.cc, 0x1C: self.csts}
            if offset not in properties or (attrib == 1) != (offset == 0):
                return self.respond(cid, 0x02)
            got = properties[offset]
            return self.respond(cid, 0, got & 0xFFFFFFFF, got >> 32)
        if kind == 0 and offset == 0x14:
            self.cc = value
            self.csts = value & 1 | (8 if value >> 14 & 3 else 0)
            return self.respond(cid)
        return self.respond(cid, 0x02)

    def give(self, cid: int, data: bytes) -> None:
        """Data to the host in pieces, and the completion."""
        size = self.target.c2h_bytes
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        for i, piece in enumerate(pieces):
            last = i == len(pieces) - 1
            flags = (LAST | (SUCCESS if self.target.success else 0)) if last else 0
            self.c2h(cid, i * size, piece, flags)
        if not self.target.success:
            self.respond(cid)

    def take(self, cid: int, length: int) -> bytes:
        """Data of the host, by several R2Ts at once."""
        size = self.target.r2t_bytes
        whole = bytearray(length)
        asked = 0
        left = length
        outstanding = 0
        tags: dict[int, tuple[int, int]] = {}
        while left:
            while asked < length and outstanding <= min(self.maxr2t, self.target.r2ts - 1):
                piece = min(size, length - asked)
                tag = 0x100 + asked // size
                tags[tag] = (asked, asked + piece)
                self.send(R2T, 0, struct.pack("<HHIII", cid, tag, asked, piece, 0))
                asked += piece
                outstanding += 1
            kind, flags, header, data = self.pdu()
            if kind == CMD:  # queued behind
                self.command(header[8:72], data)
                continue
            assert kind == H2C_DATA
            got, tag, offset, datal = struct.unpack("<HHII", header[8:20])
            assert (got, datal) == (cid, len(data))
            assert datal <= self.target.maxh2cdata
            begin, end = tags[tag]
            assert offset == begin
            tags[tag] = (begin + datal, end)
            whole[offset : offset + datal] = data
            left -= datal
            assert bool(flags & LAST) == (begin + datal == end)
            if flags & LAST:
                outstanding -= 1
        return bytes(whole)

    def admin(self, sqe: bytes, cid: int, opcode: int, length: int) -> None:
        target = self.target
        cdw10, cdw11, cdw12 = struct.unpack("<III", sqe[40:52])
        if opcode == 0x06:
            cns = cdw10 & 0xFF
            assert length == 4096
            data = bytearray(4096)
            if cns == 1:
                data[4:24] = b"MINI".ljust(20)
                data[24:64] = b"mini target".ljust(40)
                data[77] = 5
                data[111] = 1
                struct.pack_into("<H", data, 320, 10)
                data[512:514] = b"\x66\x44"
                struct.pack_into("<I", data, 516, 1)
                struct.pack_into("<I", data, 536, 1 | 1 << 20 | 1 << 21)
                struct.pack_into("<IIH", data, 1792, target.ioccsz, 1, 0)
            elif cns == 0:
                struct.pack_into("<QQ", data, 0, target.lbas, target.lbas)
                data[130] = 9
            elif cns == 2:
                struct.pack_into("<I", data, 0, 1)
            self.give(cid, bytes(data))
        elif opcode == 0x02:
            size = (cdw10 >> 16) * 4 + 4
            assert length == size
            log = bytes(size)
            if cdw10 & 0xFF == 0x70:
                log = target.discovery_log()[cdw12 : cdw12 + size].ljust(size, b"\0")
            self.give(cid, log)
        elif opcode == 0x09 and cdw10 & 0xFF == 7:
            self.respond(cid, 0, 0x00070007)
        elif opcode in (0x0A, 0x09):
            self.respond(cid, 0, cdw11)
        elif opcode == 0x0C:
            target.aers.append((self, cid))
        elif opcode == 0x18:
            target.keep_alives += 1
            self.respond(cid)
        elif opcode == 0x08:
            self.respond(cid, 0, 1)
        else:
            self.respond(cid, 0x01)

    def io(self, sqe: bytes, data: bytes, cid: int, opcode: int, length: int) -> None:
        slba, nlb = struct.unpack("<QH", sqe[40:50])
        begin, size = slba * 512, (nlb + 1) * 512
        memory = self.target.memory
        if opcode == 1:
            if not data:
                data = self.take(cid, length)
            assert len(data) == size
            memory[begin : begin + size] = data
            self.respond(cid)
        elif opcode == 2:
            assert length == size
            self.give(cid, bytes(memory[begin : begin + size]))
        elif opcode == 0:
            self.respond(cid)
        else:
            self.respond(cid, 0x01)


class Target:
    """Listens on loopback; `with Target() as target:` ends it."""

    def __init__(self, family: int = socket.AF_INET, **options: Any) -> None:
        self.subsystems = ["nqn.2024-01.org.example:mini"]
        self.lbas = 2048
        self.cap = 127 | 1 << 16 | 20 << 24 | 1 << 37
        self.digests = 3
        self.cpda = 0
        self.maxh2cdata = 4096
        self.ioccsz = (64 + 4096) // 16
        self.pdo_align = 4
        self.c2h_bytes = 1 << 20
        self.r2t_bytes = 1 << 20
        self.r2ts = 1
        self.success = True
        self.on_command: Callable[[Connection, bytes, bytes], object] | None = None
        self.on_ic: Callable[[Connection], object] | None = None
        for name, value in options.items():
            assert hasattr(self, name), name
            setattr(self, name, value)
        self.memory = bytearray(self.lbas * 512)
        self.connects: list[tuple[int, int, int, str, str, bytes]] = []
        self.connections: list[Connection] = []
        self.aers: list[tuple[Connection, int]] = []
        self.keep_alives = 0
        self.errors: list[BaseException] = []
        host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
        self.listener = socket.create_server((host, 0), family=family)
        self.port = self.listener.getsockname()[1]
        self.address = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        self.threads = [threading.Thread(target=self._listen, daemon=True)]
        self.threads[0].start()

    def discovery_log(self) -> bytes:
        log = struct.pack("<QQH", 1, len(self.subsystems), 0).ljust(1024, b"\0")
        for nqn in self.subsystems:
            entry = bytearray(1024)
            struct.pack_into("<BBBBHHH", entry, 0, 3, 1, 2, 0, 1, 0xFFFF, 32)
            entry[32:64] = str(self.port).encode().ljust(32)
            entry[256 : 256 + len(nqn)] = nqn.encode()
            entry[512:768] = b"127.0.0.1".ljust(256)
            log += bytes(entry)
        return log

    def _listen(self) -> None:
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(self, sock)
            self.connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _serve(self, connection: Connection) -> None:
        try:
            connection.serve()
        except (EOFError, OSError):
            pass
        except BaseException as error:
            self.errors.append(error)
            if os.environ.get("TCP_TARGET_TRACE"):
                traceback.print_exc()
        finally:
            connection.over.set()
            connection.sock.close()

    def queue(self, qid: int) -> Connection:
        """The newest connection of a queue."""
        return next(c for c in reversed(self.connections) if c.qid == qid)

    def __enter__(self) -> Target:
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.connections:
            try:
                connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self.threads[1:]:
            thread.join(60)
        assert not self.errors, self.errors
