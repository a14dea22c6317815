"""TLS 1.3 with a pre-shared key, our host on our target: what scripts do, and what if it breaks."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import nvme as d
from nvme.target import Target

QUICK = "sim:capacity=1GiB,latency=0"
# Of 32 and 48 bytes; the same 32 as they are.
KEY = "NVMeTLSkey-1:01:paWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWFL193:"
KEY_384 = (
    "NVMeTLSkey-1:02:paWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlTaNE9w==:"
)
OTHER = KEY.replace(":01:", ":00:")
SECRET = "paWl"
LIMIT_S = 60


@pytest.fixture(scope="module", autouse=True)
def has_tls() -> None:
    try:
        Target(QUICK, tls_key=KEY).close()
    except RuntimeError as error:
        pytest.skip(str(error))


@pytest.fixture
def target() -> Iterator[Target]:
    with Target(QUICK, tls_key=KEY) as served:
        yield served


def round_trip(nvme0: d.Controller, lbas: int, lba: int = 3) -> None:
    nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 16)
    out, back = d.Buffer(lbas * 512, ptype=0xBEEF, pvalue=100), d.Buffer(lbas * 512)
    nvme0n1.write(qpair, out, lba, lbas).waitdone()
    nvme0n1.read(qpair, back, lba, lbas).waitdone()
    assert back[:] == out[:]
    qpair.delete()


@pytest.mark.parametrize("key", [KEY, KEY_384, OTHER], ids=["sha256", "sha384", "as it is"])
@pytest.mark.parametrize("options", ["", ";hdgst=1;ddgst=1;icd=0;hpda=128"])
def test_data_go_both_ways(key: str, options: str) -> None:
    with Target(QUICK, tls_key=key, max_r2t_data=20000, max_c2h_data=30000) as target:
        nvme0 = d.Controller(f"{target.address};tls_key={key}{options}")
        for lbas in (1, 8, 33, 256):
            round_trip(nvme0, lbas)
        nvme0.reset()
        round_trip(nvme0, 8)
        nvme0.close()
        assert target.faults == 0


def test_an_ioworker_verifies(target: Target) -> None:
    nvme0 = d.Controller(f"{target.address};tls_key={KEY}")
    nvme0n1 = d.Namespace(nvme0)
    nvme0n1.verify_enable(True)
    results = [
        nvme0n1.ioworker(
            io_size=[1, 8, 40, 256],
            read_percentage=50,
            io_count=1500,
            qdepth=32,
            region_start=first,
            region_end=first + 20000,
        ).start()
        for first in (0, 20000)
    ]
    assert [one.close().error for one in results] == [0, 0]
    nvme0.close()


def test_the_key_may_be_in_a_file_or_in_the_environment(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_text(KEY + "\n")
    nvme0 = d.Controller(f"{target.address};tls_key_file={file}")
    round_trip(nvme0, 8)
    nvme0.close()
    host, port = target.address.split(":")
    for key in (KEY, str(file)):
        nvme0 = d.Controller(d.Tcp(host, int(port), tls_key=key))
        round_trip(nvme0, 8)
        nvme0.close()
        monkeypatch.setenv("PYNVME_TLS_KEY", key)
        nvme0 = d.Controller(target.address)
        round_trip(nvme0, 8)
        nvme0.close()
        monkeypatch.delenv("PYNVME_TLS_KEY")


def test_discovery_tells_of_it(target: Target) -> None:
    command = [sys.executable, "-m", "nvme.cli", "discover", "--json"]
    options: dict[str, Any] = {"capture_output": True, "text": True, "timeout": LIMIT_S}
    done = subprocess.run([*command, f"{target.address};tls_key={KEY}"], check=True, **options)
    (entry,) = json.loads(done.stdout)
    assert entry["sectype"] == "tls1.3"
    assert entry["treq"] == "required"
    with Target(QUICK) as plain:
        done = subprocess.run([*command, plain.address], check=True, **options)
    (entry,) = json.loads(done.stdout)
    assert entry["sectype"] == "none"
    assert entry["treq"] == "not required"


def test_the_command_line_takes_a_key(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    command = [sys.executable, "-m", "nvme.cli", "serve", "--tcp", "127.0.0.1:0", "--tls-key"]
    with subprocess.Popen(
        [*command, str(file), "--dut", QUICK], stdout=subprocess.PIPE, text=True
    ) as served:
        assert served.stdout is not None
        address = served.stdout.readline().rpartition(" ")[2].strip()
        nvme0 = d.Controller(f"{address};tls_key={KEY}")
        round_trip(nvme0, 8)
        nvme0.close()
        served.terminate()
        served.communicate(timeout=LIMIT_S)
    done = subprocess.run(
        [*command, KEY[:-3], "--dut", QUICK], capture_output=True, text=True, timeout=LIMIT_S
    )
    assert done.returncode == 1
    assert "TLS key" in done.stderr
    assert SECRET not in done.stderr


# --- what goes wrong ------------------------------------------------------------------------------


@contextmanager
def bystander(target: Target) -> Iterator[None]:
    """Another connection to the target, which must not notice."""
    nvme0 = d.Controller(f"{target.address};tls_key={KEY}")
    round_trip(nvme0, 8)
    yield
    round_trip(nvme0, 8)
    nvme0.close()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (f";tls_key={OTHER}", "refused the TLS handshake"),
        (f";tls_key={KEY_384}", "refused the TLS handshake"),
        ("", "TLS"),
    ],
    ids=["wrong key", "wrong hash", "no TLS"],
)
@pytest.mark.parametrize("named", [True, False])
def test_a_host_that_the_target_refuses(
    target: Target, options: str, says: str, named: bool
) -> None:
    with bystander(target):
        nqn = f";nqn={target.nqn}" if named else ""
        with pytest.raises(d.NvmeEnumerateError, match=says) as error:
            d.Controller(target.address + nqn + options)
        assert SECRET not in str(error.value)


def test_a_target_without_tls() -> None:
    with Target(QUICK) as target:
        with pytest.raises(d.NvmeEnumerateError, match="TLS is not possible"):
            d.Controller(f"{target.address};nqn={target.nqn};tls_key={KEY}")
        nvme0 = d.Controller(target.address)
        round_trip(nvme0, 8)
        nvme0.close()


def test_a_handshake_that_never_ends(target: Target) -> None:
    # As host: a target that takes the connection and says nothing.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]};nqn=nqn.2024-01.org.example:s"
        with pytest.raises(d.NvmeEnumerateError, match="was not over within 300 ms"):
            d.Controller(f"{address};tls_key={KEY};answer_ms=300")
    # As target: a host that sends the beginning of a ClientHello.
    host, port = target.address.split(":")
    with Target(QUICK, tls_key=KEY, connect_timeout=0.3) as hasty, bystander(target):
        at = ("127.0.0.1", hasty.port)
        # A reset, if it was late in reading what is sent.
        with suppress(ConnectionResetError), socket.create_connection(at, LIMIT_S) as half:
            half.sendall(bytes.fromhex("160301020001000"[:-1]))
            assert half.recv(100) == b""
        with socket.create_connection((host, int(port)), timeout=LIMIT_S) as half:
            half.sendall(b"\0\0\x80\0\x80\0\0\0")  # ICReq
            with suppress(ConnectionResetError):
                while half.recv(100):
                    pass


def test_a_target_with_a_certificate_is_not_one() -> None:
    """TLS, but without the key: another server, whatever it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(LIMIT_S)

        def serve() -> None:
            for _ in range(4):
                try:
                    context.wrap_socket(listener.accept()[0], server_side=True).close()
                except OSError:
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        address = f"127.0.0.1:{listener.getsockname()[1]};nqn=nqn.2024-01.org.example:s"
        with pytest.raises(d.NvmeEnumerateError, match="refused the TLS handshake"):
            d.Controller(f"{address};tls_key={KEY}")
        thread.join()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (f";tls_key={KEY[:-5]}", "TLS key"),
        (f";tls_key={KEY.replace('W', 'X', 1)}", "CRC-32"),
        (";tls_key_file=/nonexistent", "/nonexistent"),
    ],
)
def test_keys_that_are_none(options: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as error:
        d.Controller("127.0.0.1:4420" + options)
    assert SECRET not in str(error.value)


def test_nothing_shows_the_key(target: Target) -> None:
    given = d.Tcp(target.address, tls_key=KEY)
    assert SECRET not in given.addr
    nvme0 = d.Controller(given)
    assert SECRET not in repr(nvme0)
    nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 16)
    target.fault("reset", "C2HData", queue=1)
    with pytest.raises(SystemError) as error:
        nvme0n1.read(qpair, d.Buffer(512), 0, 1).waitdone()
    assert SECRET not in str(error.value)
    qpair.delete()
    nvme0.reset()
    round_trip(nvme0, 8)
    nvme0.close()


@pytest.mark.parametrize("action", ["truncate", "delay", "corrupt data", "reset"])
def test_faults_under_the_record_layer(target: Target, action: str) -> None:
    """Faults befall PDUs, inside of TLS: the host says what it says without it."""
    with bystander(target):
        nvme0 = d.Controller(f"{target.address};tls_key={KEY};ddgst=1")
        nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 16)
        target.fault(action, "C2HData", queue=1, delay=0.1)
        if action == "delay":
            nvme0n1.read(qpair, d.Buffer(4096), 0, 8).waitdone()
        elif action == "corrupt data":
            with pytest.warns(UserWarning, match="00/22"):
                nvme0n1.read(qpair, d.Buffer(4096), 0, 8).waitdone()
        else:
            with pytest.raises(SystemError, match="the connection is closed"):
                nvme0n1.read(qpair, d.Buffer(4096), 0, 8).waitdone()
        assert target.faults == 0
        qpair.delete()
        nvme0.reset()
        round_trip(nvme0, 8)
        nvme0.close()
