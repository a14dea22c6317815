# Linux's own host (nvme-cli, the nvme-tcp module, fio, ext4) on the embedded SSD behind NVMe/TCP:
# the one host in these tests that nobody of this project has written.
"""The NVMe/TCP target with a Linux host."""

import subprocess
import sys
from pathlib import Path

import pytest
from guests import Guest, Hardware

from nvme.target import Target

sys.path.append(str(Path(__file__).resolve().parents[1] / "system"))
import tcp_host

HOST = "10.0.2.2"
SSD = "sim:capacity=256MiB,lba=512"
TIMEOUT_S = 240


@pytest.fixture(scope="module")
def linux():
    hardware = Hardware(iommu=None)
    with Guest(
        load=["nvme-tcp", "ext4", "crc32c_generic"],
        append="nvme_core.multipath=N",
        hardware=hardware,
    ) as guest:
        yield guest


@pytest.fixture
def target(tmp_path):
    with Target(f"{SSD},file={tmp_path / 'media'}") as served:
        yield served


class Connected:
    """The target, connected in the guest for as long as the block lasts."""

    def __init__(self, linux, target, options=""):
        self.linux, self.target, self.options = linux, target, options

    def __enter__(self):
        self.linux.run(
            f"nvme connect -t tcp -a {HOST} -s {self.target.port} -n {self.target.nqn} "
            f"--nr-io-queues=2 {self.options}",
            timeout_s=TIMEOUT_S,
        )
        found = self.linux.run(
            f"cd /sys/class/nvme; grep -l {self.target.nqn} */subsysnqn", timeout_s=TIMEOUT_S
        )
        self.name = found.output.split("/")[0]
        self.device = f"/dev/{self.name}n1"
        self.linux.run(f"until test -b {self.device}; do sleep 0.1; done", timeout_s=TIMEOUT_S)
        return self

    def __exit__(self, *exception):
        self.linux.run(f"nvme disconnect -n {self.target.nqn}", timeout_s=TIMEOUT_S)


def test_discover(linux, target):
    found = linux.run(
        f"nvme discover -t tcp -a {HOST} -s {target.port}", timeout_s=TIMEOUT_S
    ).output
    assert f"subnqn:  {target.nqn}" in found
    assert f"trsvcid: {target.port}" in found
    assert "trtype:  tcp" in found


@pytest.mark.parametrize(
    "options",
    ["", "--hdr-digest --data-digest", "--disable-sqflow"],
    ids=["plain", "digests", "sqflow"],
)
def test_fio_verifies_and_a_filesystem_holds(linux, target, options):
    with Connected(linux, target, options) as connected:
        identified = linux.run(f"nvme id-ctrl {connected.device}", timeout_s=TIMEOUT_S).output
        assert "PYNVME0001" in identified
        linux.run(
            f"fio --name=v --filename={connected.device} --rw=randrw --bsrange=512-256k --size=24m "
            "--direct=1 --ioengine=libaio --iodepth=16 --verify=crc32c --verify_fatal=1 "
            "--do_verify=1 --randseed=7 --thread",
            timeout_s=TIMEOUT_S,
        )
        linux.run(
            f"mkfs.ext4 -q {connected.device} && mkdir -p /tmp/m && "
            f"mount {connected.device} /tmp/m && "
            "dd if=/dev/urandom of=/tmp/m/f bs=64k count=64 status=none && "
            "md5sum < /tmp/m/f > /tmp/sum && umount /tmp/m && "
            f"mount {connected.device} /tmp/m && md5sum < /tmp/m/f | cmp - /tmp/sum && "
            f"umount /tmp/m && e2fsck -fn {connected.device}",
            timeout_s=TIMEOUT_S,
        )


def test_what_one_writes_the_other_reads(linux, target):
    pattern = bytes(range(256)) * 16
    with (
        tcp_host.admin(target.port, target.nqn) as queue,
        tcp_host.io(queue, target.port, target.nqn) as ours,
        Connected(linux, target) as connected,
    ):
        done, _ = ours.command(1, nsid=1, write=pattern, cdw10=8, cdw12=7)
        assert done.status == 0
        read = linux.share / "read"
        linux.run(
            f"dd if={connected.device} of={read} bs=4096 skip=1 count=1 iflag=direct",
            timeout_s=TIMEOUT_S,
        )
        assert read.read_bytes() == pattern
        written = linux.share / "written"
        written.write_bytes(pattern[::-1])
        linux.run(
            f"dd if={written} of={connected.device} bs=4096 seek=2 count=1 oflag=direct",
            timeout_s=TIMEOUT_S,
        )
        assert ours.command(2, nsid=1, read=4096, cdw10=16, cdw12=7)[1] == pattern[::-1]


@pytest.fixture
def port():
    with tcp_host.held_port() as number:
        yield number


def test_linux_finds_a_restarted_target_again(linux, port, tmp_path):
    """Killed in the middle of writes; what was flushed is there, and the connection comes back."""
    media = tmp_path / "media"

    def serve():
        process = subprocess.Popen(
            [sys.executable, "-m", "nvme.cli", "serve", "--tcp", f"127.0.0.1:{port}",
             "--dut", f"{SSD},file={media}"],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        return process, process.stdout.readline() + process.stdout.readline()

    process, said = serve()
    try:

        class Served:
            pass

        served = Served()
        served.port, served.nqn = port, said.split("subsystem ")[1].strip()
        with Connected(linux, served, "--reconnect-delay=1 --keep-alive-tmo=5") as connected:
            linux.run(
                f"dd if=/dev/urandom of=/tmp/kept bs=1M count=4 status=none && "
                f"dd if=/tmp/kept of={connected.device} bs=1M oflag=direct conv=fsync status=none",
                timeout_s=TIMEOUT_S,
            )
            writer = linux.start_command(
                f"dd if=/dev/zero of={connected.device} bs=64k seek=256 count=1024 oflag=direct"
            )
            process.kill()
            process.wait()
            process, _ = serve()
            assert writer.wait(TIMEOUT_S).returncode == 0
            linux.run(
                f"dd if={connected.device} bs=1M count=4 iflag=direct status=none "
                "| cmp - /tmp/kept",
                timeout_s=TIMEOUT_S,
            )
    finally:
        process.terminate()
        process.communicate()
