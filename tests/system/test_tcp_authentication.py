"""DH-HMAC-CHAP of NVMe/TCP: our host on our target, and each of them on a peer of the test."""

from __future__ import annotations

import contextlib
import hmac
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dhchap_host as chap
import pytest
import tcp_host

import nvme as d
from nvme import _core
from nvme.errors import AddressError
from nvme.target import Target

sys.path.append(str(Path(__file__).resolve().parents[1] / "tcp"))
import tcp_target

QUICK = "sim:capacity=256MiB,latency=0"
HOST = "nqn.2024-01.org.example:host"
HOST_KEY, CTRL_KEY = bytes(range(32)), bytes(range(100, 148))
HOST_SECRET, CTRL_SECRET = chap.secret(HOST_KEY, 1), chap.secret(CTRL_KEY, 2)
WRONG = chap.secret(bytes(32))
THEIR_NQN = "nqn.2024-01.org.example:mini"
AUTH_REQUIRED = 0x191
LIMIT_S = 60


TLS_KEY = "NVMeTLSkey-1:01:paWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWFL193:"


@pytest.fixture(scope="module", autouse=True)
def has_authentication() -> None:
    try:
        Target(QUICK, dhchap={HOST: HOST_SECRET}).close()
    except RuntimeError as error:
        pytest.skip(str(error))


@pytest.fixture
def target() -> Iterator[Target]:
    with Target(QUICK, dhchap={HOST: (HOST_SECRET, CTRL_SECRET)}) as served:
        yield served


def address(target: Target, secret: str = HOST_SECRET, ctrl: str = "", options: str = "") -> str:
    text = f"{target.address};nqn={target.nqn};hostnqn={HOST}{options}"
    text += f";dhchap_secret={secret}" if secret else ""
    return text + (f";dhchap_ctrl_secret={ctrl}" if ctrl else "")


def work(device: str | d.Tcp) -> None:
    """An IO queue, data that are verified, and an IOWorker."""
    nvme0 = d.Controller(device)
    nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 8)
    nvme0n1.verify_enable(True)
    buf = d.Buffer(4096)
    nvme0n1.write(qpair, buf, 0, 8).waitdone()
    nvme0n1.read(qpair, buf, 0, 8).waitdone()
    result = nvme0n1.ioworker(io_size=8, io_count=200, qdepth=8, read_percentage=50).start().close()
    assert result.error == 0
    qpair.delete()
    nvme0.close()


def refusal(device: str) -> str:
    """What is said, which has no secret in it."""
    with pytest.raises(d.NvmeEnumerateError) as error:
        d.Controller(device)
    for key in (HOST_SECRET, CTRL_SECRET, WRONG):
        assert key[10:20] not in str(error.value)
    return str(error.value)


# --- our host on our target -----------------------------------------------------------------------


@pytest.mark.parametrize("ctrl", ["", CTRL_SECRET], ids=["one way", "both ways"])
def test_the_host_authenticates_and_works(target, ctrl):
    work(address(target, ctrl=ctrl))


@pytest.mark.parametrize("group", chap.GROUPS)
@pytest.mark.parametrize("hash_name", chap.HASHES)
def test_every_hash_with_every_group(target, hash_name, group):
    options = f";dhchap_hash={hash_name};dhchap_group={group}"
    d.Controller(address(target, ctrl=CTRL_SECRET, options=options)).close()


@pytest.mark.parametrize("bits", [32, 48, 64])
@pytest.mark.parametrize("transform", [0, 1, 2, 3])
def test_secrets_of_all_kinds(transform, bits):
    secret = chap.secret(bytes(range(bits)), transform)
    with Target(QUICK, dhchap={HOST: (secret, secret)}) as target:
        d.Controller(address(target, secret, secret)).close()


def test_a_reset_authenticates_anew(target):
    nvme0 = d.Controller(address(target, ctrl=CTRL_SECRET, options=";hdgst=1;ddgst=1"))
    nvme0.reset()
    assert nvme0[0x1C] & 1
    nvme0.close()


def test_inside_of_tls():
    with Target(QUICK, dhchap={HOST: (HOST_SECRET, CTRL_SECRET)}, tls_key=TLS_KEY) as target:
        work(address(target, ctrl=CTRL_SECRET, options=f";tls_key={TLS_KEY}"))


def test_secrets_from_arguments_and_the_environment(target, monkeypatch):
    plain = f"127.0.0.1;nqn={target.nqn};hostnqn={HOST}"
    tcp = d.Tcp(plain, target.port, dhchap_secret=HOST_SECRET, dhchap_ctrl_secret=CTRL_SECRET)
    assert "dhchap" not in tcp.addr
    work(tcp)
    tcp.close()
    monkeypatch.setenv("PYNVME_DHCHAP_SECRET", HOST_SECRET)
    monkeypatch.setenv("PYNVME_DHCHAP_CTRL_SECRET", CTRL_SECRET)
    work(address(target, ""))


def test_wrong_secrets(target):
    other = d.Controller(address(target))
    said = refusal(address(target, WRONG))
    assert "authentication failed" in said
    assert HOST in said
    assert "dhchap_ctrl_secret" in refusal(address(target, ctrl=WRONG))
    assert "there is no secret" in refusal(address(target, ""))
    assert other[0x1C] & 1  # untouched
    end = time.monotonic() + LIMIT_S
    while target.controllers != 1:
        assert time.monotonic() < end
    other.close()


def test_a_controller_that_cannot_prove_itself():
    with Target(QUICK, dhchap={HOST: HOST_SECRET}) as target:
        assert "prove itself" in refusal(address(target, ctrl=CTRL_SECRET))
    with Target(QUICK) as target:  # it does not ask, and we do
        assert "Authentication Send failed" in refusal(address(target, ctrl=CTRL_SECRET))
        d.Controller(address(target)).close()


def test_hosts_without_a_secret():
    with Target(QUICK, dhchap={HOST: HOST_SECRET}, hosts=["nqn.2024-01.org:open"]) as target:
        at = f"{target.address};nqn={target.nqn};hostnqn=nqn.2024-01.org:"
        d.Controller(f"{at}open").close()
        assert "Invalid Host" in refusal(f"{at}unknown")
        d.Controller(address(target)).close()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (";dhchap_secret=DHHC-1:00:AAAA:", "its key has another length"),
        (f";dhchap_secret={HOST_SECRET[:-6]}AAAA=:", "base64|CRC-32|length"),
        (";dhchap_secret=swordfish", "does not begin with DHHC-1:"),
        (f";dhchap_ctrl_secret={CTRL_SECRET}", "give dhchap_secret as well"),
        (";dhchap_hash=md5", "sha256, sha384, sha512 are possible"),
        (";dhchap_group=ffdhe1024", "null, ffdhe2048"),
        (f";dhchap={HOST_SECRET}", "after the semicolon"),
    ],
)
def test_options_that_are_none(options, says):
    with pytest.raises(AddressError, match=says) as error:
        d.Controller(f"127.0.0.1:1{options}")
    assert HOST_SECRET[10:20] not in str(error.value)
    assert "swordfish" not in str(error.value)


def test_secrets_are_not_shown():
    assert _core.address_name(f"127.0.0.1;dhchap_secret={HOST_SECRET}") == "127.0.0.1:4420"
    assert _core.without_secrets(f"::1;dhchap_secret={WRONG}") == "::1;dhchap_secret=..."


def test_a_failing_test_does_not_show_the_secret(target, tmp_path):
    script = tmp_path / "test_it.py"
    script.write_text(
        "from nvme.report import Report\n"
        "def test_it(nvme0, pciaddr):\n"
        "    report = Report('x', {'device': pciaddr})\n"
        "    print(report.device, nvme0[0x1C])\n"
        "    assert not nvme0[0x1C] & 1\n"
    )
    command = [sys.executable, "-m", "nvme.cli", "test", str(script), "--dut", address(target)]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "dhchap_secret=..." in done.stdout
    logs = "".join(path.read_text() for path in tmp_path.glob("*.log"))
    assert HOST_SECRET[10:30] not in done.stdout + done.stderr + logs


def test_serve_takes_keys_on_its_command_line():
    command = [sys.executable, "-m", "nvme.cli", "serve", "--tcp", "127.0.0.1:0", "--dut", QUICK]
    with subprocess.Popen(
        [*command, "--dhchap-key", f"{HOST}={HOST_SECRET}", "--dhchap-ctrl-key", CTRL_SECRET],
        stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            at = process.stdout.readline().rpartition(" ")[2].strip()
            d.Controller(
                f"{at};hostnqn={HOST};dhchap_secret={HOST_SECRET};dhchap_ctrl_secret={CTRL_SECRET}"
            ).close()
        finally:
            process.terminate()
    for wrong in (["--dhchap-key", HOST_SECRET], ["--dhchap-ctrl-key", f"{HOST}={CTRL_SECRET}"],
                  ["--dhchap-key", f"{HOST}=DHHC-1:00:AAAA:"]):  # fmt: skip
        done = subprocess.run(
            [*command, *wrong], capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
        assert done.returncode == 1
        assert done.stderr.startswith("pynvme serve: ")
        assert "AAAA" not in done.stderr


# --- our target with a host of the test's own -----------------------------------------------------


@pytest.fixture
def queue(target) -> Iterator[chap.Queue]:
    """The admin queue, connected and not authenticated."""
    with tcp_host.Host(target.port) as host:
        host.icreq()
        response = host.connect(target.nqn, hostnqn=HOST)
        assert response.status == 0
        assert response.cdw0 >> 16 == 2  # ATR
        yield chap.Queue(host)


def challenged(queue, target, hash_id=1, group_id=1, t_id=7) -> tuple[chap.Peer, bytes, int]:
    """A peer that has met the target's DH value; its challenge and sequence number."""
    assert queue.send(chap.negotiate(t_id, [hash_id], [group_id])) == 0
    message = queue.receive()
    head = struct.unpack_from("<BBHHBBBBHI", message)
    peer = chap.Peer(hash_id, group_id, HOST, target.nqn, t_id)
    size = peer.bits // 8
    assert head[:9] == (1, chap.CHALLENGE, 0, t_id, peer.bytes, 0, hash_id, group_id, size)
    assert head[9] != 0
    peer.meet(message[16 + peer.bytes : 16 + peer.bytes + size])
    return peer, message[16 : 16 + peer.bytes], head[9]


def reply(peer, challenge, seqnum, *, c2=b"", s2=0, key=HOST_KEY, value=None) -> bytes:
    value = peer.value() if value is None else value
    used = chap.transformed(key, 1, HOST)
    return (
        chap.header(chap.REPLY, peer.t_id)
        + struct.pack("<BBBBHI", peer.bytes, 0, 1 if c2 else 0, 0, len(value), s2)
        + peer.response(used, challenge, seqnum, host=True)
        + c2.ljust(peer.bytes, b"\0")
        + value
    )


@pytest.mark.parametrize("group_id", range(6))
@pytest.mark.parametrize("hash_id", [1, 2, 3])
def test_the_target_computes_as_the_specification_says(queue, target, hash_id, group_id):
    peer, challenge, seqnum = challenged(queue, target, hash_id, group_id)
    c2 = bytes(range(1, peer.bytes + 1))
    assert queue.send(reply(peer, challenge, seqnum, c2=c2, s2=0x01020304)) == 0
    success = queue.receive()
    assert success[:9] == chap.header(chap.SUCCESS1, 7) + bytes([peer.bytes, 0, 1])
    key = chap.transformed(CTRL_KEY, 2, target.nqn)
    expected = peer.response(key, c2, 0x01020304, host=False)
    assert hmac.compare_digest(success[16 : 16 + peer.bytes], expected)
    # Not before the controller has proved itself.
    assert queue.host.property_set(0x14, 0x00460001).status == AUTH_REQUIRED
    assert queue.send(chap.header(chap.SUCCESS2, 7) + bytes(10)) == 0
    queue.host.enable()


def test_one_way_and_each_queue_for_itself(queue, target):
    peer, challenge, seqnum = challenged(queue, target)
    assert queue.send(reply(peer, challenge, seqnum)) == 0
    success = queue.receive()
    assert success[:9] == chap.header(chap.SUCCESS1, 7) + bytes([32, 0, 0])
    queue.host.enable()
    with tcp_host.Host(target.port) as second:
        second.icreq()
        response = second.connect(target.nqn, qid=1, cntlid=queue.host.cntlid, hostnqn=HOST)
        assert response.cdw0 == 2 << 16 | queue.host.cntlid
        # In the capsule, by R2T, or without data: nothing else is answered.
        for fields in ({"write": bytes(512)}, {"write": bytes(512), "transport": True},
                       {"read": 512}):  # fmt: skip
            done, _ = second.command(0x02 if "read" in fields else 0x01, **{"nsid": 1, **fields})
            assert done.status == AUTH_REQUIRED
            assert done.dnr
        io = chap.Queue(second)
        peer, challenge, seqnum = challenged(io, target, t_id=8)
        assert io.send(reply(peer, challenge, seqnum)) == 0
        io.receive()
        done, _ = second.command(0x02, nsid=1, read=512)
        assert done is None or done.status == 0


def test_a_queue_may_authenticate_again(queue, target):
    for t_id in (1, 2):
        peer, challenge, seqnum = challenged(queue, target, t_id=t_id)
        assert queue.send(reply(peer, challenge, seqnum)) == 0
        assert queue.receive()[1] == chap.SUCCESS1
    queue.host.enable()


def test_commands_before(queue):
    host = queue.host
    assert host.property_set(0x14, 0x00460001).status == AUTH_REQUIRED
    assert host.command(0x7F, nsid=4, cdw11=0x1C)[0].status == AUTH_REQUIRED
    assert host.command(0x06, read=4096, cdw10=1)[0].status == AUTH_REQUIRED
    assert host.command(0x18)[0].status == AUTH_REQUIRED


def test_fields_of_the_commands(queue):
    message = chap.negotiate(1)
    assert queue.send(message, cdw10=0xE8010100) == 0x002  # SECP
    assert queue.send(message, cdw10=0xE9000100) == 0x002  # SPSP1
    assert queue.send(message, cdw10=0xE9010000) == 0x002  # SPSP0
    assert queue.send(message, cdw11=len(message) + 1) == 0x00F
    assert queue.send(message) == 0
    assert queue.receive_status(16) == 0x002  # the challenge is longer
    assert queue.receive_status(cdw11=0) == 0x002
    assert queue.receive()[1] == chap.CHALLENGE


def test_a_target_without_keys_has_no_such_commands():
    with Target(QUICK) as target, tcp_host.Host(target.port) as host:
        host.icreq()
        assert host.connect(target.nqn).cdw0 >> 16 == 0
        assert chap.Queue(host).send(chap.negotiate(1)) == 0x001
        assert chap.Queue(host).receive_status() == 0x001


FAILED, NO_PROTOCOL, CONCATENATION, NO_HASH, NO_GROUP, PAYLOAD, MESSAGE = range(1, 8)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (chap.negotiate(1, protocol=2), NO_PROTOCOL),
        (chap.negotiate(1, sc_c=1), CONCATENATION),
        (chap.negotiate(1, hashes=[0, 4, 255]), NO_HASH),
        (chap.negotiate(1, groups=[6, 255]), NO_GROUP),
        (chap.negotiate(1, hashes=[]), PAYLOAD),
        (chap.negotiate(1)[:-1], PAYLOAD),
        (chap.negotiate(1)[:7] + b"\2" + chap.negotiate(1)[8:], PAYLOAD),
        (chap.negotiate(1)[:5], PAYLOAD),
        (b"\1" + chap.negotiate(1)[1:], MESSAGE),
        (chap.header(chap.REPLY, 1) + bytes(80), MESSAGE),
        (chap.header(chap.SUCCESS2, 1) + bytes(10), MESSAGE),
        (chap.header(0x55, 1) + bytes(10), MESSAGE),
        (chap.failure(1, message_id=chap.FAILURE1), MESSAGE),
    ],
)
def test_first_messages_that_are_refused(queue, target, message, reason):
    assert queue.send(message) == 0
    assert queue.refused() == reason
    assert target.controllers == 0


def test_unknown_ids_beside_known_ones(queue):
    assert queue.send(chap.negotiate(1, hashes=[9, 3], groups=[77, 0])) == 0
    message = queue.receive()
    assert (message[8], message[9]) == (3, 0)


def _wrong_key(peer, challenge, seqnum):
    return reply(peer, challenge, seqnum, key=bytes(32))


def _other_challenge(peer, challenge, seqnum):
    return reply(peer, bytes(len(challenge)), seqnum)


def _other_seqnum(peer, challenge, seqnum):
    return reply(peer, challenge, seqnum ^ 1)


def _reflected(peer, challenge, seqnum):
    return reply(peer, challenge, seqnum, c2=challenge, s2=1)


def _value(number):
    return lambda peer, challenge, seqnum: reply(
        peer, challenge, seqnum, value=number(peer).to_bytes(peer.bits // 8, "big")
    )


def _transaction(peer, challenge, seqnum):
    message = reply(peer, challenge, seqnum)
    return message[:4] + b"\x55\x55" + message[6:]


def _negotiate(peer, _challenge, _seqnum):
    return chap.negotiate(peer.t_id)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_wrong_key, FAILED),
        (_other_challenge, FAILED),
        (_other_seqnum, FAILED),
        (_reflected, FAILED),
        (_value(lambda peer: 0), FAILED),
        (_value(lambda peer: 1), FAILED),
        (_value(lambda peer: chap.prime(peer.bits) - 1), FAILED),
        (_value(lambda peer: chap.prime(peer.bits)), FAILED),
        (_transaction, PAYLOAD),
        (lambda *a: reply(*a)[:-1], PAYLOAD),
        (lambda *a: reply(*a) + b"\0", PAYLOAD),
        (lambda *a: reply(*a, value=b""), PAYLOAD),
        (lambda *a: reply(*a)[:6] + b"\x30" + reply(*a)[7:], PAYLOAD),
        (_negotiate, MESSAGE),
    ],
)
def test_replies_that_are_refused(queue, target, make, reason):
    assert queue.send(make(*challenged(queue, target))) == 0
    assert queue.refused() == reason
    assert target.controllers == 0


def test_a_reply_of_another_connection_is_refused(queue, target):
    peer, challenge, seqnum = challenged(queue, target, group_id=0)
    message = reply(peer, challenge, seqnum)
    assert queue.send(message) == 0
    assert queue.receive()[1] == chap.SUCCESS1
    with tcp_host.Host(target.port) as host:
        host.icreq()
        host.connect(target.nqn, hostnqn=HOST)
        other = chap.Queue(host)
        challenged(other, target, group_id=0)
        assert other.send(message) == 0
        assert other.refused() == FAILED


def test_a_message_that_comes_twice(queue, target):
    message = reply(*challenged(queue, target))
    assert queue.send(message) == 0
    assert queue.send(message) == 0
    assert queue.refused() == MESSAGE


def test_after_a_failure_nothing_is_taken(queue):
    assert queue.send(chap.negotiate(1, hashes=[9])) == 0
    assert queue.send(chap.negotiate(1)) == 0x00C
    assert queue.refused() == NO_HASH


def test_receive_when_nothing_is_to_be_said(queue):
    assert queue.refused() == MESSAGE


def test_the_host_gives_up(queue, target):
    challenged(queue, target)
    assert queue.send(chap.failure(7)) == 0
    assert queue.host.closed()


def test_a_host_that_stops_is_disconnected():
    stopped = False
    for seconds in (0.5, 5, 50):  # longer where the machine stood still before it came to that
        with Target(QUICK, dhchap={HOST: HOST_SECRET}, connect_timeout=seconds) as target:
            with tcp_host.Host(target.port, timeout=2 * LIMIT_S) as host:
                with contextlib.suppress(EOFError, ConnectionError):
                    host.icreq()
                    host.connect(target.nqn, hostnqn=HOST)
                    assert chap.Queue(host).send(chap.negotiate(1)) == 0
                    stopped = True
                assert host.closed()
            assert target.controllers == 0
        if stopped:
            break
    assert stopped


# --- our host on a target of the test's own -------------------------------------------------------


class Theirs:
    """Makes a target of tcp_target ask for authentication, and spoils messages if told to."""

    def __init__(self, hash_id=1, group_id=1, spoil=None, atr=2 << 16) -> None:
        self.hash_id, self.group_id, self.spoil, self.atr = hash_id, group_id, spoil, atr
        self.sent: list[bytes] = []
        self.peer: chap.Peer | None = None
        self.expects = False
        self.next = b""

    def __call__(self, connection, sqe, data) -> bool:
        if sqe[0] != 0x7F or sqe[4] not in (1, 5, 6):
            return False
        cid = struct.unpack_from("<H", sqe, 2)[0]
        if sqe[4] == 1:
            connection.qid = struct.unpack_from("<H", sqe, 42)[0]
            connection.entries = struct.unpack_from("<H", sqe, 44)[0] + 1
            connection.discovery = False
            if connection.qid == 0:
                connection.cc = connection.csts = 0
            connection.respond(cid, 0, 1 | self.atr)
            return True
        if sqe[4] == 5:
            assert sqe[41:44] == b"\1\1\xe9"
            assert struct.unpack_from("<I", sqe, 44)[0] == len(data)
            self.take(data)
            connection.respond(cid)
            return True
        if self.next == b"silence":
            return True
        room = struct.unpack_from("<I", sqe, 44)[0]
        connection.give(cid, self.next.ljust(room, b"\0"))
        return True

    def take(self, message: bytes) -> None:
        self.sent.append(message)
        step = message[1]
        if step == chap.NEGOTIATE:
            t_id = struct.unpack_from("<H", message, 4)[0]
            self.peer = chap.Peer(self.hash_id, self.group_id, HOST, THEIR_NQN, t_id)
            self.challenge = bytes(range(self.peer.bytes))
            value = self.peer.value()
            self.next = (
                chap.header(chap.CHALLENGE, t_id)
                + struct.pack("<BBBBHI", self.peer.bytes, 0, self.hash_id, self.group_id,
                              len(value), 77)
                + self.challenge + value
            )  # fmt: skip
        elif step == chap.REPLY:
            peer = self.peer
            assert peer is not None
            hl = peer.bytes
            (self.valid,) = struct.unpack_from("<B", message, 8)
            s2 = struct.unpack_from("<I", message, 12)[0]
            peer.meet(message[16 + 2 * hl :])
            r1 = peer.response(chap.transformed(HOST_KEY, 1, HOST), self.challenge, 77, host=True)
            assert message[16 : 16 + hl] == r1
            c2 = message[16 + hl : 16 + 2 * hl]
            r2 = peer.response(chap.transformed(CTRL_KEY, 2, THEIR_NQN), c2, s2, host=False)
            self.next = (
                chap.header(chap.SUCCESS1, peer.t_id) + bytes([hl, 0, self.valid]) + bytes(7)
                + (r2 if self.valid else b"")
            )  # fmt: skip
        if self.spoil is not None:
            self.next = self.spoil(step, self.next)


def on_theirs(theirs: Theirs, ctrl: str = CTRL_SECRET, options: str = "") -> None:
    with tcp_target.Target() as served:
        served.on_command = theirs
        text = f"127.0.0.1:{served.port};nqn={THEIR_NQN};hostnqn={HOST}{options}"
        text += f";dhchap_secret={HOST_SECRET}"
        d.Controller(text + (f";dhchap_ctrl_secret={ctrl}" if ctrl else "")).close()


@pytest.mark.parametrize("group_id", [0, 1])
@pytest.mark.parametrize("hash_id", [1, 2, 3])
@pytest.mark.parametrize("ctrl", ["", CTRL_SECRET], ids=["one way", "both ways"])
def test_the_host_computes_as_the_specification_says(hash_id, group_id, ctrl):
    theirs = Theirs(hash_id, group_id)
    on_theirs(theirs, ctrl)
    offered = theirs.sent[0]
    assert offered[:4] + offered[6:8] == b"\0\0\0\0\0\1"
    assert offered[8:12] == bytes([1, 0, 3, 6])
    assert offered[12:15] == bytes([1, 2, 3])
    assert sorted(offered[42:48]) == list(range(6))
    last = theirs.sent[-1]
    assert last[1] == (chap.SUCCESS2 if ctrl else chap.REPLY)
    assert len(theirs.sent) == (3 if ctrl else 2)


def _at(step, change):
    return lambda now, message: change(message) if now == step else message


@pytest.mark.parametrize(
    ("step", "change", "says", "reason"),
    [
        (0, lambda m: chap.failure(m[4] | m[5] << 8, 5, chap.FAILURE1), "DH group", None),
        (0, lambda m: m[:4] + b"\x99\x99" + m[6:], "T_ID", PAYLOAD),
        (0, lambda m: m[:8] + b"\4" + m[9:], "hash that was not offered", NO_HASH),
        (0, lambda m: m[:9] + b"\6" + m[10:], "group that was not offered", NO_GROUP),
        (0, lambda m: m[:6] + b"\x30" + m[7:], "wrong lengths", PAYLOAD),
        (0, lambda m: m[:10] + b"\0\0" + m[12:], "wrong lengths", PAYLOAD),
        (0, lambda m: m[:48] + bytes(256), "none of the group", FAILED),
        (0, lambda m: bytes([1, chap.SUCCESS1]) + m[2:], "another message", MESSAGE),
        (2, lambda m: m[:20] + b"\xff" * 8 + m[28:], "dhchap_ctrl_secret", FAILED),
        (2, lambda m: m[:8] + b"\0" + m[9:], "dhchap_ctrl_secret", FAILED),
        (2, lambda m: m[:6] + b"\x30" + m[7:], "wrong length", PAYLOAD),
        (2, lambda m: chap.failure(m[4] | m[5] << 8, 1, chap.FAILURE1), "another secret", None),
    ],
)
def test_the_hosts_refusals(step, change, says, reason):
    theirs = Theirs(spoil=_at(step, change))
    with pytest.raises(d.NvmeEnumerateError, match=says):
        on_theirs(theirs)
    last = theirs.sent[-1]
    if reason is None:
        assert last[1] != chap.FAILURE2
    else:
        assert last[:2] + last[6:] == bytes([0, chap.FAILURE2, 1, reason])


def test_a_target_that_never_answers():
    for ms in (300, 3000, 30000):  # longer where the machine stood still before it came to that
        theirs = Theirs(spoil=_at(2, lambda m: b"silence"))
        with pytest.raises((SystemError, d.NvmeEnumerateError)) as error:
            on_theirs(theirs, options=f";answer_ms={ms}")
        if theirs.next == b"silence":
            break
    assert error.type is SystemError
    assert f"no answer within {ms} ms" in str(error.value)


def test_a_target_that_wants_a_secure_channel():
    with pytest.raises(d.NvmeEnumerateError, match="secure channel concatenation"):
        on_theirs(Theirs(atr=4 << 16))
