"""Our NVMe/TCP host on the Linux kernel's target, which runs in a guest."""

import hashlib
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from guests import Guest
from tcp_capture import Capture, dissected

import nvme as d

ROOT = Path(__file__).resolve().parents[2]
NQN = "nqn.2024-01.org.example:linux"
MODULES = ("configfs", "null_blk", "nvmet", "nvmet-tcp")
CONFIG = "/sys/kernel/config"
PORT_UP = f"ln -s {CONFIG}/nvmet/subsystems/{NQN} {CONFIG}/nvmet/ports/1/subsystems/{NQN}"
PORT_DOWN = f"rm {CONFIG}/nvmet/ports/1/subsystems/{NQN}"
DIGESTS = ["", ";hdgst=1;ddgst=1"]

# null_blk: nsid 1 of 512 bytes, nsid 2 of 4096, nsid 3 zoned.
SETUP = f"""
    mountpoint -q {CONFIG} || mount -t configfs none {CONFIG}
    for x in "a 0 512" "b 0 4096" "z 1 4096"; do
      set -- $x; n={CONFIG}/nullb/$1; mkdir $n
      echo 64 > $n/size; echo $3 > $n/blocksize; echo 1 > $n/memory_backed; echo 1 > $n/discard
      if [ $2 = 1 ]; then echo 1 > $n/zoned; echo 4 > $n/zone_size; fi
      echo 1 > $n/power
    done
    s={CONFIG}/nvmet/subsystems/{NQN}; mkdir $s
    echo 1 > $s/attr_allow_any_host; echo LINUX1 > $s/attr_serial
    i=1; for n in a b z; do
      mkdir $s/namespaces/$i; echo /dev/$n > $s/namespaces/$i/device_path
      echo 1 > $s/namespaces/$i/enable; i=$((i+1))
    done
    p={CONFIG}/nvmet/ports/1; mkdir $p
    echo tcp > $p/addr_trtype; echo ipv4 > $p/addr_adrfam; echo 0.0.0.0 > $p/addr_traddr
    echo 4420 > $p/addr_trsvcid; echo 8192 > $p/param_inline_data_size
    {PORT_UP}
"""


@pytest.fixture(scope="module")
def linux():
    with Guest(load=MODULES, forwards=[4420]) as guest:
        guest.run(textwrap.dedent(SETUP))
        yield guest


@pytest.fixture
def address(linux):
    return f"127.0.0.1:{linux.port(4420)}"


@pytest.mark.parametrize("digests", DIGESTS)
@pytest.mark.parametrize(("nsid", "lba_bytes"), [(1, 512), (2, 4096)])
def test_data_and_verification(address, digests, nsid, lba_bytes):
    nvme0 = d.Controller(address + digests)
    assert nvme0.id_data(63, 24, str).strip() == "Linux"
    nvme0n1 = d.Namespace(nvme0, nsid)
    assert nvme0n1.sector_size == lba_bytes
    nvme0n1.verify_enable(True)
    qpair = d.Qpair(nvme0, 32)
    for lbas in (1, 8, 32):  # in the capsule, and by R2T
        out = d.Buffer(lbas * lba_bytes, ptype=0xBEEF, pvalue=100)
        back = d.Buffer(lbas * lba_bytes)
        nvme0n1.write(qpair, out, 64, lbas).waitdone()
        nvme0n1.read(qpair, back, 64, lbas).waitdone()
        assert back[:] == out[:]
    nvme0n1.flush(qpair).waitdone()
    nvme0n1.write_zeroes(qpair, 64, 8).waitdone()
    trim = d.Buffer(4096)
    trim.set_dsm_range(0, 0, 8)
    nvme0n1.dsm(qpair, trim, 1).waitdone()
    result = nvme0n1.ioworker(
        io_size=[1, 8, 40], read_percentage=60, io_count=400, qdepth=16, region_end=4096
    ).start().close()  # fmt: skip
    assert result.error == 0
    qpair.delete()
    nvme0.close()


def test_zones(address):
    nvme0 = d.Controller(address)
    zoned = d.Namespace(nvme0, 3)
    qpair, buf = d.Qpair(nvme0, 8), d.Buffer(4096)
    zoned.zns_mgmt_receive(qpair, buf, extended=False).waitdone()
    zones = buf.data(7, 0)
    assert zones == 16  # 64 MiB in zones of 4 MiB
    out = d.Buffer(4096, ptype=0xBEEF, pvalue=100)
    zoned.write(qpair, out, 0, 1).waitdone()
    zoned.read(qpair, buf, 0, 1).waitdone()
    assert buf[:] == out[:]
    with pytest.warns(UserWarning, match="ERROR status"):  # not at the write pointer
        zoned.write(qpair, out, 100, 1).waitdone()
    qpair.delete()
    nvme0.close()


def test_what_one_writes_the_other_reads(linux, address):
    nvme0 = d.Controller(address)
    nvme0n1, qpair = d.Namespace(nvme0, 2), d.Qpair(nvme0, 8)
    out = d.Buffer(16384, ptype=0xBEEF, pvalue=100)
    nvme0n1.write(qpair, out, 512, 4).waitdone()
    nvme0n1.flush(qpair).waitdone()
    block = "iflag=direct bs=4096 skip=512 count=4 status=none"
    seen = linux.run(f"dd if=/dev/b {block} | sha256sum").output.split()[0]
    assert seen == hashlib.sha256(bytes(out[:])).hexdigest()
    linux.run("dd if=/dev/urandom of=/tmp/data bs=4096 count=4 status=none")
    wrote = linux.run("sha256sum < /tmp/data").output.split()[0]
    linux.run("dd if=/tmp/data of=/dev/b oflag=direct bs=4096 seek=600 status=none")
    back = d.Buffer(16384)
    nvme0n1.read(qpair, back, 600, 4).waitdone()
    assert hashlib.sha256(bytes(back[:])).hexdigest() == wrote
    qpair.delete()
    nvme0.close()


def test_the_target_is_restarted(linux, address):
    nvme0 = d.Controller(address)
    nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 8), d.Buffer(4096)
    linux.run(f"{PORT_DOWN}; {PORT_UP}")
    # The queue is not what it was, whenever the target says so.
    with pytest.raises(SystemError, match="the connection is closed"):  # noqa: PT012
        end = time.monotonic() + 60
        while time.monotonic() < end:
            nvme0n1.read(qpair, buf, 0, 1).waitdone()
    qpair.delete()
    nvme0.reset()
    qpair = d.Qpair(nvme0, 8)
    nvme0n1.read(qpair, buf, 0, 1).waitdone()
    nvme0.close()


def test_keep_alive_keeps_it_alive(linux, address):
    nvme0 = d.Controller(address + ";kato=3000")
    linux.run("sleep 5")
    assert nvme0[0x1C] & 1
    nvme0.close()


def test_the_demo_session(address):
    command = [sys.executable, "-m", "nvme.cli", "demo", "--dut", address, "--report", "/dev/null"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr


@pytest.mark.skipif(shutil.which("tshark") is None, reason="no tshark")
@pytest.mark.parametrize("digests", DIGESTS)
def test_every_pdu_is_dissected(linux, tmp_path, digests):
    path = tmp_path / "linux.pcap"
    with Capture(("127.0.0.1", linux.port(4420)), path) as capture:
        nvme0 = d.Controller(f"127.0.0.1:{capture.port}{digests}")
        nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 8), d.Buffer(32768)
        nvme0n1.write(qpair, buf, 0, 64).waitdone()
        nvme0n1.read(qpair, buf, 0, 64).waitdone()
        qpair.delete()
        nvme0.close()
    types = {int(pdu["nvme-tcp.type"], 0) for pdu in dissected(path, capture.port)}
    assert {0, 1, 4, 5, 6, 7, 9} <= types
