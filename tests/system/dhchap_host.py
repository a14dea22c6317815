# DH-HMAC-CHAP from NVMe Base 2.0 §8.13 and RFC 7919 with Python's hmac, hashlib and pow(): the peer
# of tests, which shares no code with the product.
"""Secrets, groups, and a host that authenticates byte by byte."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import secrets
import struct
import zlib
from typing import Any

import tcp_host

NEGOTIATE, CHALLENGE, REPLY, SUCCESS1, SUCCESS2, FAILURE2, FAILURE1 = 0, 1, 2, 3, 4, 0xF0, 0xF1
HASHES = ["sha256", "sha384", "sha512"]  # from identifier 1 on
GROUPS = ["null", "ffdhe2048", "ffdhe3072", "ffdhe4096", "ffdhe6144", "ffdhe8192"]  # from 0 on
# RFC 7919 appendix A: p = 2^b - 2^(b-64) + ([2^(b-130) e] + X) 2^64 - 1.
_X = {2048: 560316, 3072: 2625351, 4096: 5736041, 6144: 15705020, 8192: 10965728}


def secret(key: bytes, transform: int = 0) -> str:
    """The text of a secret."""
    crc = struct.pack("<I", zlib.crc32(key))
    return f"DHHC-1:{transform:02}:{base64.b64encode(key + crc).decode()}:"


def transformed(key: bytes, transform: int, nqn: str) -> bytes:
    """What is used of a key."""
    if not transform:
        return key
    return hmac.digest(key, f"{nqn}NVMe-over-Fabrics".encode(), HASHES[transform - 1])


@functools.cache
def prime(bits: int) -> int:
    """The group's, by its formula."""
    scale = 1 << (bits + 64)
    e = term = scale
    n = 1
    while term:
        term //= n
        e += term
        n += 1
    shifted = e >> (bits + 64 - (bits - 130))
    return (1 << bits) - (1 << (bits - 64)) + (shifted + _X[bits]) * (1 << 64) - 1


class Peer:
    """Computes what either side sends, for one hash and group."""

    def __init__(self, hash_id: int, group_id: int, hostnqn: str, subnqn: str, t_id: int) -> None:
        self.hash = HASHES[hash_id - 1]
        self.bytes = hashlib.new(self.hash).digest_size
        self.bits = int(GROUPS[group_id][5:] or 0) if group_id else 0
        self.hostnqn, self.subnqn, self.t_id = hostnqn, subnqn, t_id
        self.exponent = secrets.randbits(256) | 1 << 255
        self.shared = b""

    def value(self) -> bytes:
        """Ours, of Diffie-Hellman."""
        if not self.bits:
            return b""
        return pow(2, self.exponent, prime(self.bits)).to_bytes(self.bits // 8, "big")

    def meet(self, value: bytes) -> None:
        """Takes the other side's."""
        assert len(value) == self.bits // 8
        if self.bits:
            number = pow(int.from_bytes(value, "big"), self.exponent, prime(self.bits))
            self.shared = number.to_bytes(self.bits // 8, "big")

    def response(self, key: bytes, challenge: bytes, seqnum: int, *, host: bool) -> bytes:
        """R1 or R2."""
        if self.bits:
            session = hashlib.new(self.hash, self.shared).digest()
            challenge = hmac.digest(session, challenge, self.hash)
        who, first, second = (
            ("HostHost", self.hostnqn, self.subnqn)
            if host
            else ("Controller", self.subnqn, self.hostnqn)
        )
        text = challenge + struct.pack("<IHB", seqnum, self.t_id, 0)
        text += who.encode() + first.encode() + b"\0" + second.encode()
        return hmac.digest(key, text, self.hash)


def header(message_id: int, t_id: int) -> bytes:
    """What a message begins with."""
    common = message_id in (NEGOTIATE, FAILURE1, FAILURE2)
    return struct.pack("<BBHH", 0 if common else 1, message_id, 0, t_id)


def negotiate(
    t_id: int, hashes: list[int] | None = None, groups: list[int] | None = None, *,
    sc_c: int = 0, protocol: int = 1,
) -> bytes:  # fmt: skip
    """AUTH_Negotiate with one descriptor; all hashes and groups unless told otherwise."""
    offered = bytes([1, 2, 3] if hashes is None else hashes)
    known = bytes(range(6) if groups is None else groups)
    return (
        header(NEGOTIATE, t_id) + bytes([sc_c, 1, protocol, 0, len(offered), len(known)])
        + offered.ljust(30, b"\0") + known.ljust(30, b"\0")
    )  # fmt: skip


def failure(t_id: int, reason: int = 1, message_id: int = FAILURE2) -> bytes:
    """AUTH_Failure1 or AUTH_Failure2."""
    return header(message_id, t_id) + bytes([1, reason])


class Queue:
    """A connection of tcp_host.Host on which messages go both ways."""

    def __init__(self, host: tcp_host.Host) -> None:
        self.host = host

    def send(self, message: bytes, **dwords: int) -> int:
        """Authentication Send; its status."""
        return self._status(*self.host.command(
            0x7F, nsid=5, write=message,
            **{"cdw10": 0xE9010100, "cdw11": len(message), **dwords},
        ))  # fmt: skip

    def receive(self, room: int = 4096, **dwords: int) -> bytes:
        """The message of an Authentication Receive that succeeds."""
        response, data = self.host.command(
            0x7F, nsid=6, read=room, **{"cdw10": 0xE9010100, "cdw11": room, **dwords}
        )
        assert self._status(response, data) == 0
        return data

    def receive_status(self, room: int = 4096, **dwords: int) -> int:
        """The status of an Authentication Receive."""
        return self._status(*self.host.command(
            0x7F, nsid=6, read=room, **{"cdw10": 0xE9010100, "cdw11": room, **dwords}
        ))  # fmt: skip

    def refused(self) -> int:
        """The reason of the AUTH_Failure1 that comes, after which the target closes."""
        message = self.receive()
        assert message[:2] == bytes([0, FAILURE1])
        assert message[6] == 1
        assert self.host.closed()
        return message[7]

    @staticmethod
    def _status(response: Any, _data: bytes) -> int:
        return int(response.status) if response is not None else 0
