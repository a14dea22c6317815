# Without the right to listen on an interface: the bytes pass through here.
"""A TCP proxy that keeps what passes as a packet capture, and what tshark makes of it."""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

CLIENT, SERVER = b"\x7f\x00\x00\x02", b"\x7f\x00\x00\x01"
SEGMENT = 32768


class Capture:
    """Listens on 127.0.0.1:`port`, forwards to `upstream`, writes a pcap file when it is closed."""

    def __init__(self, upstream: tuple[str, int], path: Path) -> None:
        self.upstream, self.path = upstream, path
        self.packets: list[tuple[float, bytes]] = []
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.threads = [threading.Thread(target=self._listen, daemon=True)]
        self.threads[0].start()

    def __enter__(self) -> Capture:
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(60)
        with self.path.open("wb") as out:
            out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0x40000, 101))  # raw IP
            for when, packet in self.packets:
                micro = int(when * 1e6)
                out.write(struct.pack("<IIII", *divmod(micro, 10**6), len(packet), len(packet)))
                out.write(packet)

    def _listen(self) -> None:
        while True:
            try:
                client, (_, number) = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.upstream)
            numbers = {True: 1, False: 1}  # the next sequence number of each side
            for out, source, sink in ((True, client, server), (False, server, client)):
                for sock in (source, sink):
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                thread = threading.Thread(
                    target=self._pass, args=(out, source, sink, number, numbers), daemon=True
                )
                self.threads.append(thread)
                thread.start()

    def _pass(
        self, out: bool, source: socket.socket, sink: socket.socket, number: int,
        numbers: dict[bool, int],
    ) -> None:  # fmt: skip
        while True:
            try:
                data = source.recv(1 << 20)
            except OSError:
                data = b""
            with self.lock:
                for at in range(0, len(data), SEGMENT):
                    self._keep(out, number, numbers, data[at : at + SEGMENT])
            try:
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(data)
            except OSError:
                return

    def _keep(self, out: bool, number: int, numbers: dict[bool, int], data: bytes) -> None:
        ports = (number, self.port) if out else (self.port, number)
        hosts = (CLIENT, SERVER) if out else (SERVER, CLIENT)
        tcp = struct.pack(
            ">HHIIBBHHH", *ports, numbers[out], numbers[not out], 0x50, 0x18, 65535, 0, 0
        )
        ip = struct.pack(
            ">BBHHHBBH4s4s", 0x45, 0, 40 + len(data), 0, 0x4000, 64, 6, 0, *hosts
        )  # fmt: skip
        numbers[out] += len(data)
        self.packets.append((time.time(), ip + tcp + data))


def dissected(path: Path, port: int) -> list[dict[str, str]]:
    """Every PDU as tshark's NVMe/TCP dissector reads it; fails on a malformed one."""
    tshark = shutil.which("tshark")
    assert tshark is not None
    fields = ["nvme-tcp.type", "nvme-tcp.plen"]
    command = [tshark, "-n", "-r", str(path), "-d", f"tcp.port=={port},nvme-tcp"]
    command += ["-T", "fields", "-E", "separator=;", "-E", "aggregator=,"]
    for field in ["_ws.malformed", "_ws.expert.severity", *fields]:
        command += ["-e", field]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    pdus = []
    for line in shown.stdout.splitlines():
        malformed, severity, *columns = line.split(";")
        assert not malformed, line
        assert str(0x800000) not in severity.split(","), line  # PI_ERROR
        rows = zip(*(column.split(",") for column in columns), strict=True)
        pdus += [dict(zip(fields, row, strict=True)) for row in rows if row[0]]
    return pdus
