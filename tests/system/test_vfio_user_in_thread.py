"""A vfio-user server in a thread of the script that tests it: whatever waits for the server lets
the thread run. What it serves is an embedded SSD, through a door that changes what it offers."""

import contextlib
import os
import socket
import struct
import threading
import warnings

import pytest

import nvme as d

REGION_INFO, REGION_WRITE = 5, 10
BAR0, CONFIG = 0, 7
HEADER = struct.Struct("<HHIII")


class Door:
    """Passes messages on between its clients and a server, and lets edit() change the replies."""

    def __init__(self, path, server, edit):
        self.address, self.server, self.edit = f"unix:{path}", server, edit
        self.commands = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self.server)
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self.carry, args=ends, daemon=True).start()

    def carry(self, source, target):
        with contextlib.suppress(OSError):
            while True:
                head, fds, _, _ = socket.recv_fds(source, 16, 64, socket.MSG_WAITALL)
                if len(head) < 16:
                    break
                number, command, size, flags, error = HEADER.unpack(head)
                rest = b""
                while len(rest) < size - 16:
                    rest += source.recv(size - 16 - len(rest))
                if flags & 15 == 1:
                    error, rest, fds = self.edit(command, error, rest, fds)
                    flags = 1 if error == 0 else 0x21
                else:
                    self.commands.append((command, rest))
                head = HEADER.pack(number, command, 16 + len(rest), flags, error)
                socket.send_fds(target, [head + rest], fds)
                for fd in fds:
                    os.close(fd)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def unchanged(_command, error, rest, fds):
    return error, rest, fds


def no_mapping(command, error, rest, fds):
    """As of a server that has nothing to map."""
    if command == REGION_INFO and error == 0:
        argsz, _, index, _, size, offset = struct.unpack("<IIIIQQ", rest[:32])
        return 0, struct.pack("<IIIIQQ", min(argsz, 32), 3, index, 0, size, offset), []
    return error, rest, fds


def only_what_is_there(command, error, rest, fds):
    """As of a server that has errors for regions that it does not have."""
    if command == REGION_INFO and error == 0 and rest[8] not in (BAR0, CONFIG):
        return 22, b"", []
    return error, rest, fds


def short_bar(command, error, rest, fds):
    if command == REGION_INFO and error == 0 and rest[8:12] == bytes(4):
        return 0, rest[:16] + struct.pack("<Q", 0x1004) + rest[24:], fds
    return error, rest, fds


@pytest.fixture
def door(tmp_path):
    """door(edit): a Door to a served SSD."""
    doors, servers = [], []

    def start(edit=unchanged):
        path = str(tmp_path / "ssd.sock")
        servers.append(d._core.ServedSsd("capacity=64MiB,latency=0"))
        servers[-1].listen_vfio_user(path)
        doors.append(Door(tmp_path / "door.sock", path, edit))
        return doors[-1]

    yield start
    for one in doors:
        one.close()
    for one in servers:
        one.close()


@pytest.mark.parametrize("edit", [unchanged, no_mapping, only_what_is_there])
def test_everything_a_script_does(door, edit):
    server = door(edit)
    nvme0 = d.Controller(server.address)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 8), d.Buffer(4 << 20)
        pcie = d.Pcie(nvme0)
        assert pcie[0:2] == [pcie[0], pcie[1]]
        assert pcie.register(0, 2) == pcie[0] | pcie[1] << 8
        assert pcie.mem_dword_read(8) == nvme0[8] == 0x10400
        nvme0[0x14] = nvme0[0x14]
        buf[8:16] = b"thread 1"
        nvme0n1.write(qpair, buf, 0, 8).waitdone()
        buf[:] = 0
        nvme0n1.read(qpair, buf, 0, 8).waitdone()
        assert buf[8:16] == b"thread 1"
        nvme0.getfeatures(7).waitdone()
        pcie.flr()
        nvme0.reset()
        qpair = d.Qpair(nvme0, 8)
        nvme0n1.flush(qpair).waitdone()
        qpair.delete()
    nvme0.close()
    rung = [rest for command, rest in server.commands if command == REGION_WRITE]
    offsets = {struct.unpack("<Q", rest[:8])[0] for rest in rung}
    assert (0x1000 in offsets) == (edit is no_mapping)


def test_a_bar_without_room_for_doorbells(door):
    with pytest.raises(d.NvmeEnumerateError, match=r"no room for the doorbells of queue 0 in BAR0"):
        d.Controller(door(short_bar).address)


def test_a_file_that_is_no_socket(tmp_path):
    path = tmp_path / "drive"
    path.write_text("")
    with pytest.raises(d.NvmeEnumerateError, match=r"no socket.*PCI address.*pynvme info"):
        d.Controller(f"unix:{path}")
