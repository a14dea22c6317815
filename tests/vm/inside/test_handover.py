"""./pynvme info, setup and reset among drives that Linux really uses.

Runs in a guest, which test_handover.py beside this folder starts: two drives of QEMU, at the
addresses in PYNVME_DRIVES.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nvme import cli
from nvme.host import handover, tree

DRIVES = os.environ["PYNVME_DRIVES"].split()
FIRST, SECOND = DRIVES
PCI = Path("/sys/bus/pci/devices")
TIMEOUT_S = 60


def sh(command):
    done = subprocess.run(
        ["/bin/sh", "-ec", command],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT_S, check=False,
        env=os.environ | {"DM_DISABLE_UDEV": "1"},  # nobody else makes nodes here
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout}"
    return done.stdout


def until(condition):
    deadline = time.monotonic() + TIMEOUT_S
    while not (value := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return value


@pytest.fixture
def pynvme(capsys):
    """Runs a command line; returns exit code, stdout, stderr."""

    def run(*arguments):
        capsys.readouterr()
        try:
            code = cli.main(arguments)
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return run


def driver(address):
    link = PCI / address / "driver"
    return link.resolve().name if link.exists() else None


def disk_of(address):
    """nvme0n1, once the kernel has it."""

    def find():
        found = list((PCI / address).glob("nvme/nvme*/nvme*n1"))
        node = Path("/dev", found[0].name) if found else None
        return node if node is not None and node.exists() else None

    return until(find)


def serial_of(address):
    return next((PCI / address).glob("nvme/nvme*/serial")).read_text().strip()


@pytest.fixture
def disk():
    """The first drive's disk, which is empty and unused before and after."""
    assert driver(FIRST) == "nvme"
    path = disk_of(FIRST)
    yield path
    if driver(FIRST) == "nvme":
        sh(f"wipefs -qa {disk_of(FIRST)}")


@pytest.fixture
def partition(disk):
    # Not in a table on the disk: only the kernel is told.
    sh(f"addpart {disk} 1 2048 65536")
    path = Path(f"{disk}p1")
    until(path.exists)
    yield path
    with contextlib.suppress(AssertionError):
        sh(f"wipefs -qa {path}; delpart {disk} 1")


@pytest.fixture
def refused(pynvme):
    """setup refuses the drive, which stays with the kernel; info says the same."""

    def check(*words, address=FIRST):
        code, out, err = pynvme("setup", address)
        assert code == 3, out + err
        assert driver(address) == "nvme"
        for word in (f"{address} is in use", *words):
            assert re.search(word, err), err
        shown = json.loads(pynvme("info", address, "--json")[1])["functions"][0]
        if "kernel itself" not in err:  # info claims nothing, so it does not notice
            assert shown["setup"] == "would refuse: it is in use"
            assert shown["in_use"]
            assert all(use["text"] in err for use in shown["uses"])
        return err

    return check


def test_info(pynvme, disk):
    code, out, _ = pynvme("info")
    assert code == 0
    assert [line[:12] for line in out.splitlines() if re.match("[0-9a-f]{4}:", line)] == DRIVES
    text = " ".join(out.split())
    assert f"serial {serial_of(FIRST)}" in text
    assert f"{disk.name}, 268.4 MB, LBAs of 512 bytes" in text
    assert "IOMMU in use" in text
    assert "would bind it to vfio-pci" in text
    assert max(map(len, out.splitlines())) <= 80


def test_mounted_partition(partition, refused, tmp_path):
    sh(f"mkfs.ext4 -qF {partition}; mount {partition} {tmp_path}")
    try:
        refused(f"{partition.name} is mounted on {tmp_path}")
    finally:
        sh(f"umount {tmp_path}")


def test_mounted_in_another_namespace(disk, refused, tmp_path):
    sh(f"mkfs.ext4 -qF {disk}")
    holder = subprocess.Popen(
        ["unshare", "-m", "--propagation", "private", "sh", "-c",
         f"mount {disk} {tmp_path}; echo done; exec sleep 1000"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert holder.stdout.readline() == "done\n"
        assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()
        refused(rf"mounted on {tmp_path} \(seen by process {holder.pid}\)")
    finally:
        holder.kill()
        holder.wait()


def test_swap(partition, refused):
    sh(f"mkswap {partition}; swapon {partition}")
    try:
        refused(f"{partition.name} is in use as swap")
    finally:
        sh(f"swapoff {partition}")


def test_md_and_lvm_on_it(disk, pynvme, refused):
    other = disk_of(SECOND)
    array = "mdadm --quiet --create /dev/md7 --run --level=1 --raid-devices=2 --metadata=1.2"
    sh(f"{array} --assume-clean {disk} {other}")
    try:
        refused(r"is held by md7 \(md array, raid1\)", "is a member of a Linux md array")
        sh("pvcreate -q /dev/md7; vgcreate -q work /dev/md7")
        sh("lvcreate -q -an -Zn -n data -L 32m work; vgchange -q -ay work")
        sh("mkfs.ext4 -qF /dev/mapper/work-data")
        refused(r"md7 is held by dm-\d+ \(LVM volume work-data\)", "mdadm --stop /dev/md7")
        sh("mkdir -p /tmp/lvm; mount /dev/mapper/work-data /tmp/lvm")
        try:
            refused(r"md7 > dm-\d+ \(LVM volume work-data\) is mounted on /tmp/lvm")
            refused(r"is mounted on /tmp/lvm", address=SECOND)
        finally:
            sh("umount /tmp/lvm")
        sh("vgchange -q -an work")
    finally:
        sh("mdadm --quiet --stop /dev/md7")
    text = refused("is a member of a Linux md array")  # the signature alone
    assert "held by" not in text
    sh(f"mdadm --quiet --zero-superblock {disk} {other}")
    for path in (disk, other):
        with path.open("r+b", 0) as file:  # the array's data are not at the front
            file.write(bytes(4 << 20))
    assert pynvme("setup", FIRST)[0] == 0
    assert pynvme("reset", FIRST)[0] == 0


def test_lvm_member(partition, refused):
    sh(f"pvcreate -q {partition}; vgcreate -q spare {partition}")
    refused(f"{partition.name} is a member of an LVM volume group", "wipefs --all")
    sh("vgremove -q spare")
    sh(f"pvremove -q {partition}")


def test_device_mapper(disk, refused):
    sh(f"dmsetup create piece --table '0 2048 linear {disk} 0'")
    try:
        refused(r"is held by dm-\d+ \(device mapper volume piece\)")
    finally:
        sh("dmsetup remove piece")


def test_loop_device(disk, refused):
    loop = sh(f"losetup --find --show {disk}").strip()
    try:
        refused(f"is held by {Path(loop).name}", f"losetup --detach {loop}")
    finally:
        sh(f"losetup --detach {loop}")


@pytest.mark.parametrize("kind", ["block", "generic", "controller"])
def test_open_handle(disk, refused, kind):
    name = {"block": disk.name, "generic": disk.name.replace("nvme", "ng"),
            "controller": disk.name.partition("n1")[0]}[kind]  # fmt: skip
    holder = subprocess.Popen(
        [sys.executable, "-Sc", f"f = open('/dev/{name}', 'rb', 0); print(flush=True); input()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        holder.stdout.readline()
        refused(f"{name} is open in process {holder.pid}")
    finally:
        holder.communicate(b"\n")


def test_held_by_the_kernel_alone(partition, refused, tmp_path):
    """The external journal of a file system elsewhere: no mount and no holder names it."""
    image, at = tmp_path / "image", tmp_path / "at"
    at.mkdir()
    sh(f"mke2fs -qF -O journal_dev -b 4096 {partition}; truncate -s 32M {image}")
    sh(f"mke2fs -qF -t ext4 -b 4096 -J device={partition} {image}; mount -o loop {image} {at}")
    try:
        refused("the kernel itself holds")
    finally:
        sh(f"umount {at}")


def test_force_wants_the_serial(disk, pynvme, tmp_path):
    sh(f"mkfs.ext4 -qF {disk}; mount {disk} {tmp_path}")
    try:
        for wrong in ("yes", serial_of(SECOND), serial_of(FIRST).lower() + "x"):
            code, _, err = pynvme("setup", FIRST, "--force", wrong)
            assert code == 3
            assert "not the serial number" in err
            assert driver(FIRST) == "nvme"
        code, out, err = pynvme("setup", FIRST, "--force", serial_of(FIRST))
        assert code == 0, out + err
        assert driver(FIRST) == "vfio-pci"
    finally:
        sh(f"umount {tmp_path}")
    assert pynvme("reset", FIRST)[0] == 0


def test_there_and_back_with_its_data(disk, pynvme):
    data = os.urandom(1 << 20)
    disk.write_bytes(data)
    os.sync()
    code, out, err = pynvme("setup", FIRST)
    assert (code, err) == (0, "")
    group = (PCI / FIRST / "iommu_group").resolve().name
    assert f"/dev/vfio/{group}" in out
    assert driver(FIRST) == "vfio-pci"
    assert driver(SECOND) == "nvme"
    code, out, _ = pynvme("info", FIRST)
    assert "handed over to user space" in out
    assert "as the kernel saw it before" in " ".join(out.split())

    holder = os.open(f"/dev/vfio/{group}", os.O_RDWR)
    child = subprocess.Popen(["sleep", "1000"], pass_fds=[holder])
    os.close(holder)
    try:
        code, _, err = pynvme("reset", FIRST)
        assert code == 3
        assert f"open in process {child.pid} (sleep)" in err
        assert driver(FIRST) == "vfio-pci"
    finally:
        child.kill()
        child.wait()

    code, out, _ = pynvme("reset")  # what setup took, without its name
    assert (code, out) == (0, f"{FIRST} is with the kernel's driver nvme\n")
    assert disk_of(FIRST).read_bytes()[: 1 << 20] == data
    assert pynvme("reset")[0] == 0


def _die_before(step):
    """kill -9 of this process before a write to sysfs, or a call."""

    def die(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    write = tree.Tree.write
    tree.Tree.write = lambda self, name, text: (
        die() if name.endswith(f"/{step}") else write(self, name, text)
    )
    if step == "hand_over":
        handover.hand_over = die
    if step == "told":
        handover.vfio_nodes = die


@pytest.mark.parametrize("step", ["hand_over", "unbind", "bind", "told"])
def test_killed_in_the_middle(disk, pynvme, step):
    """kill -9 before a step; `reset` of another process brings the drive back."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            _die_before(step)
            cli.main(["setup", FIRST])
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    where = {"hand_over": "nvme", "unbind": "nvme", "bind": None, "told": "vfio-pci"}
    assert driver(FIRST) == where[step]
    text = " ".join(pynvme("info", FIRST)[1].split())
    assert ("was interrupted" in text) == (step in ("unbind", "bind"))
    assert pynvme("reset")[0] == 0
    assert driver(FIRST) == "nvme"
    assert disk_of(FIRST)
    assert "would bind it to vfio-pci" in pynvme("info", FIRST)[1]


def test_for_a_user(disk, pynvme):
    code, out, _ = pynvme("setup", FIRST, "--user", "nobody")
    assert code == 0
    assert "nobody - memlock unlimited" in out
    node = next(Path("/dev/vfio").glob("[0-9]*"))
    assert (node.owner(), node.stat().st_mode & 0o777) == ("nobody", 0o600)
    assert os.stat("/dev/vfio/vfio").st_mode & 0o666 == 0o666  # noqa: PTH116
    assert pynvme("reset", FIRST)[0] == 0


def test_not_nvme(pynvme):
    bridge = next(p.name for p in PCI.iterdir() if (p / "class").read_text().startswith("0x0604"))
    assert pynvme("setup", bridge)[0] == 3
    network = next(p for p in PCI.iterdir() if (p / "class").read_text().startswith("0x0200"))
    before = driver(network.name)
    code, _, err = pynvme("setup", network.name)
    assert code == 3
    assert "no NVMe controller but a network controller" in err
    code, _, err = pynvme("setup", network.name, "--not-nvme")
    assert code == 3
    assert driver(network.name) == before
    assert pynvme("setup", "7f:1f.7")[0] == 3
