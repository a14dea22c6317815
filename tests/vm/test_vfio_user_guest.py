"""A client that others wrote: QEMU's vfio-user-pci, whose guest has the served SSD for a drive.

The guest's own NVMe driver, nvme-cli and fio use it, through resets, hot unplug and a reboot; what
they wrote is read here afterwards.

Two drives, one with MSI-X and one with no more than MSI: QEMU 11.1.3 was seen to end with an
assertion of its own (memory_region_del_subregion) when a vfio-user-pci with MSI-X was unplugged.
"""

import os
import signal
import subprocess
import sys

import pytest
from guests import QEMU_11, Guest, Hardware, UnavailableError, root_port, vfio_user

import nvme as d

LIMIT_S = 60
BLOCK = 4096
MIB = 1 << 20


class Server:
    """`pynvme serve` in a process of its own."""

    def __init__(self, folder, interrupts):
        self.path = folder / f"{interrupts}.sock"
        options = f"file={folder}/{interrupts},serial={interrupts},interrupts={interrupts}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "nvme.cli", "serve", "--socket", str(self.path),
             "--dut", f"sim:{options},capacity=512MiB,latency=0"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        assert self.process.stdout.readline().startswith("serving")

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        output, _ = self.process.communicate(timeout=LIMIT_S)
        return output


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    started = {kind: Server(folder, kind) for kind in ("msix", "msi")}
    yield started
    for server in started.values():
        server.end()


@pytest.fixture(scope="module")
def drives(servers):
    return {
        kind: vfio_user(kind, str(server.path), bus=f"port-{kind}")
        for kind, server in servers.items()
    }


@pytest.fixture(scope="module")
def vm(drives):
    try:
        QEMU_11.make()
    except UnavailableError as error:
        pytest.skip(f"no QEMU with vfio-user-pci on this machine: {error}")
    hardware = Hardware(
        memory_mb=1024, cpus=1, iommu=None, shared_memory=True, reboots=True, qemu=QEMU_11
    )
    ports = [root_port(f"port-{kind}", number) for number, kind in enumerate(drives, 1)]
    with Guest([*ports, *drives.values()], load=["nvme"], hardware=hardware) as guest:
        guest.plugged |= {drive.id: drive for drive in drives.values()}
        yield guest


@pytest.fixture
def drive(drives):
    return drives["msix"]


@pytest.fixture
def disk(vm, drive):
    """The name of the controller in the guest: "nvme0"."""
    return vm.nvme_name(vm.address(drive))


def fio(vm, disk, **options):
    given = {
        "name": "verified", "filename": f"/dev/{disk}n1", "direct": 1, "ioengine": "libaio",
        "rw": "randwrite", "bs": "4k", "iodepth": 16, "size": "16m", "verify": "crc32c",
    } | options  # fmt: skip
    vm.run(["fio", *(f"--{name}={value}" for name, value in given.items())], timeout_s=120)


def write_and_compare(vm, disk, text):
    vm.run(
        f"printf %s '{text}' | dd of=/dev/{disk}n1 bs=4096 seek=100000 conv=sync,fsync 2>/dev/null"
    )
    assert text in read_back(vm, disk)


def read_back(vm, disk):
    return vm.run(
        f"dd if=/dev/{disk}n1 bs=4096 skip=100000 count=1 iflag=direct 2>/dev/null"
    ).output


def test_the_kernels_driver_and_nvme_cli_know_it(vm, disk):
    assert "pynvme embedded SSD" in vm.run(f"nvme id-ctrl /dev/{disk}").output
    assert "msix" in vm.run("nvme list").output
    assert "critical_warning" in vm.run(f"nvme smart-log /dev/{disk}").output
    assert "lbaf  0" in vm.run(f"nvme id-ns /dev/{disk}n1").output
    vm.run(f"nvme get-feature /dev/{disk} -f 4 -H")
    vm.run(f"nvme flush /dev/{disk}n1")
    vm.run(f"nvme error-log /dev/{disk}")
    vm.run(f"nvme device-self-test /dev/{disk} -n 1 -s 1")
    # MSI-X, of which the guest's kernel has a vector for each queue.
    assert f"{disk}q1" in vm.run("cat /proc/interrupts").output


def test_fio_verifies_what_it_wrote(vm, disk):
    fio(vm, disk)
    fio(vm, disk, rw="randrw", bs="64k", iodepth=4)


def test_a_file_system(vm, disk):
    vm.run(
        f"mkfs.ext4 -q -F /dev/{disk}n1 && mkdir -p /tmp/mnt && mount /dev/{disk}n1 /tmp/mnt &&"
        "dd if=/dev/urandom of=/tmp/mnt/file bs=1M count=8 2>/dev/null &&"
        "sha256sum /tmp/mnt/file > /tmp/sum && umount /tmp/mnt &&"
        f"mount /dev/{disk}n1 /tmp/mnt && sha256sum -c /tmp/sum; s=$?; umount /tmp/mnt; exit $s",
        timeout_s=120,
    )


def test_resets(vm, disk, drive):
    write_and_compare(vm, disk, "before the resets")
    vm.run(f"nvme reset /dev/{disk}")
    assert "before the resets" in read_back(vm, vm.nvme_name(vm.address(drive)))
    vm.run(f"echo 1 > /sys/bus/pci/devices/{vm.address(drive)}/reset")
    disk = vm.nvme_name(vm.address(drive))
    assert "before the resets" in read_back(vm, disk)
    fio(vm, disk, size="4m")


def test_hot_unplug_and_back(vm, drives):
    drive = drives["msi"]
    address = vm.address(drive)
    write_and_compare(vm, vm.nvme_name(address), "before the unplugging")
    vm.unplug(drive)
    vm.run(f"test ! -e /sys/bus/pci/devices/{address}")
    disk = vm.nvme_name(vm.plug(drive))
    assert "before the unplugging" in read_back(vm, disk)
    fio(vm, disk, size="4m")


def test_a_reboot(vm, disk, drive):
    write_and_compare(vm, disk, "before the reboot")
    vm.reboot()
    disk = vm.nvme_name(vm.address(drive))
    assert "before the reboot" in read_back(vm, disk)
    fio(vm, disk, size="4m")


def test_what_the_guest_wrote_is_read_here(vm, drives, servers):
    drive = drives["msi"]
    write_and_compare(vm, vm.nvme_name(vm.address(drive)), "from the guest")
    vm.unplug(drive)
    assert read_here(servers["msi"]) == "from the guest"


# --- the ends of either side, under load ----------------------------------------------------------


def load(vm, disk):
    """Random writes of the guest beyond the first 448 MiB, without end."""
    vm.run(f"echo 2000 > /sys/block/{disk}n1/queue/io_timeout")
    process = vm.start_command(
        f"fio --name=load --filename=/dev/{disk}n1 --direct=1 --ioengine=libaio --rw=randwrite "
        "--bs=4k --iodepth=16 --offset=448m --size=16m --time_based --runtime=600"
    )
    done = f"awk '{{print $7}}' /sys/block/{disk}n1/stat"  # sectors written
    before = int(vm.run(done).output)
    while int(vm.run(done).output) < before + 1000:
        assert process.poll() is None, process.output
    return process


def read_here(server):
    """What write_and_compare() wrote, by pynvme in this process."""
    nvme0 = d.Controller(f"unix:{server.path}")
    nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 8), d.Buffer(BLOCK)
    lba = 100000 * BLOCK // nvme0n1.sector_size
    nvme0n1.read(qpair, buf, lba, BLOCK // nvme0n1.sector_size).waitdone()
    nvme0.close()
    return bytes(buf[:]).rstrip(b"\0").decode()


def test_the_server_is_killed_under_load(vm, disk, servers):
    server = servers["msix"]
    write_and_compare(vm, disk, "flushed before the server died")
    process = load(vm, disk)
    server.process.kill()
    server.process.communicate(timeout=LIMIT_S)
    assert process.wait(LIMIT_S).returncode != 0
    vm.run("true")
    again = servers["msix"] = Server(server.path.parent, "msix")
    assert read_here(again) == "flushed before the server died"


def test_qemu_is_killed_under_load(vm, drives, servers):
    """The last one here: there is no guest any more."""
    disk = vm.nvme_name(vm.plug(drives["msi"]))
    write_and_compare(vm, disk, "flushed before QEMU died")
    load(vm, disk)
    os.kill(vm.machine.pid, signal.SIGKILL)
    assert read_here(servers["msi"]) == "flushed before QEMU died"
