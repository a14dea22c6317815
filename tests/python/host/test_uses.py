"""Every use of a drive is found, named with a way out, and refused; --force wants the serial."""

import errno
import subprocess
import time
from pathlib import Path

import pytest

from nvme.host import handover
from nvme.host.handover import Options
from nvme.host.machine import VFIO
from nvme.host.refusals import InUseError, RefusedError
from nvme.host.tree import Tree
from nvme.host.uses import Uses

A, B = "0000:01:00.0", "0000:02:00.0"
SERIAL = "S5GXNX0R0"


@pytest.fixture
def refused(machine):
    """setup of A is refused; returns the text. Nothing is changed."""

    def check(*words, kinds=None):
        before = machine.files()
        with pytest.raises(InUseError) as caught:
            set_up(machine)
        assert machine.files() == before
        assert machine.bound_to(A) == "nvme"
        assert machine.held_claims() == []
        for word in words:
            assert word in str(caught.value)
        if kinds is not None:
            function = handover.pci_function(machine, A)
            assert [u.kind for u in Uses(machine, {A}, read_media=True).of(function)] == kinds
        return str(caught.value)

    return check


def set_up(machine, *addresses, **options):
    handover.set_up(machine, addresses or (A,), Options(**options), print, print)


@pytest.fixture
def drive(machine):
    machine.drive(A)
    return machine


def test_an_unused_drive_with_old_data(drive, capsys):
    """A file system that nobody has mounted is worth a note, not a refusal."""
    part = drive.partition("nvme0n1", 1)
    drive.signatures = {"/dev/nvme0n1": [("gpt", "")], f"/dev/{part}": [("ext4", "old")]}
    set_up(drive)
    assert drive.bound_to(A) == VFIO
    assert 'note: nvme0n1p1 holds ext4 "old", not in use' in capsys.readouterr().out


def test_mounted_disk(drive, refused):
    drive.mount("/dev/nvme0n1", "/data")
    refused("nvme0n1 is mounted on /data", "umount /data", kinds=["mount"])


def test_mounted_partition(drive, refused):
    part = drive.partition("nvme0n1", 2)
    drive.mount(f"/dev/{part}", "/my\\040data")
    text = refused(
        "0000:01:00.0 is in use, and stays as it is",
        "nvme0n1 > nvme0n1p2 is mounted on /my data",
        "umount '/my data'",
        kinds=["mount"],
    )
    assert SERIAL not in text  # the number is to be read off the drive


def test_mounted_by_number(drive, refused):
    """The source of a mount may be any text: /dev/root."""
    drive.partition("nvme0n1", 2)
    drive.mount("/dev/root", "/data", number="259:2")
    refused("nvme0n1p2 is mounted on /data")


def test_mounted_by_a_link(drive, refused):
    drive.partition("nvme0n1", 1)
    drive.link("/dev/disk/by-label/work", "/dev/nvme0n1p1")
    drive.mount("/dev/disk/by-label/work", "/work")
    refused("nvme0n1p1 is mounted on /work")


def test_mounted_elsewhere(drive, refused):
    """In the mount namespace of a container."""
    drive.process(100, "systemd", namespace="mnt:[1]")
    drive.process(200, "containerd", namespace="mnt:[2]")
    drive.mount("/dev/nvme0n1", "/data", process="200")
    refused("mounted on /data (seen by process 200)", "nsenter -t 200 -m umount /data")


def test_another_drive_is_mounted(drive):
    drive.drive(B, index=1, group="15")
    drive.mount("/dev/nvme1n1", "/data")
    drive.mount("/dev/sda1", "/")
    drive.mount("tmpfs", "/tmp", kind="tmpfs")
    set_up(drive)
    assert drive.bound_to(A) == VFIO


def test_root_on_lvm(drive, refused):
    part = drive.partition("nvme0n1", 3)
    drive.on_top("dm-0", part, dm__name="vg-root", dm__uuid="LVM-abc")
    drive.link("/dev/mapper/vg-root", "/dev/dm-0")
    drive.mount("/dev/mapper/vg-root", "/", number="253:0")
    drive.signatures[f"/dev/{part}"] = [("LVM2_member", "")]
    text = refused(
        "nvme0n1 > nvme0n1p3 > dm-0 (LVM volume vg-root) is mounted on /",
        "nvme0n1p3 is held by dm-0 (LVM volume vg-root)",
        "nvme0n1p3 is a member of an LVM volume group",
        "the drive this system runs from",
        "Not even --force changes that",
        kinds=["member", "mount", "holder"],
    )
    assert "serial" not in text
    with pytest.raises(InUseError):
        set_up(drive, force=(SERIAL,))
    assert drive.bound_to(A) == "nvme"


def test_swap(drive, refused):
    drive.partition("nvme0n1", 2)
    drive.file("/proc/swaps", "Filename Type Size\n/dev/nvme0n1p2 partition 1000 0 -2")
    refused("nvme0n1p2 is in use as swap", "swapoff /dev/nvme0n1p2", kinds=["swap"])


def test_swap_on_dm_crypt(drive, refused):
    drive.on_top("dm-3", "nvme0n1", dm__name="cryptswap", dm__uuid="CRYPT-PLAIN-cryptswap")
    drive.link("/dev/mapper/cryptswap", "/dev/dm-3")
    drive.file("/proc/swaps", "Filename Type Size\n/dev/mapper/cryptswap partition 1000 0 -2")
    refused(
        "nvme0n1 > dm-3 (dm-crypt volume cryptswap) is in use as swap",
        "cryptsetup close cryptswap",
    )


def test_active_md(drive, refused):
    drive.on_top("md127", "nvme0n1", number="9:127", md__level="raid1")
    refused(
        "nvme0n1 is held by md127 (md array, raid1)", "mdadm --stop /dev/md127", kinds=["holder"]
    )


def test_file_system_on_md_on_partitions(drive, refused):
    parts = [drive.partition("nvme0n1", 1), drive.partition("nvme0n1", 2)]
    drive.on_top("md0", *parts, number="9:0", md__level="raid0")
    drive.disk("md0p1", "/sys/devices/virtual/block/md0", number="259:9", partition=1)
    drive.mount("/dev/md0p1", "/data")
    refused("nvme0n1 > nvme0n1p1 > md0 > md0p1 is mounted on /data", kinds=["holder", "mount"])


def test_bcache(drive, refused):
    drive.on_top("bcache0", "nvme0n1", number="252:0")
    refused("nvme0n1 is held by bcache0", kinds=["holder"])


def test_multipath_map(drive, refused):
    drive.on_top("dm-5", "nvme0n1", dm__name="mpatha", dm__uuid="mpath-eui.1")
    refused("nvme0n1 is held by dm-5 (multipath device mpatha)", "multipath -f mpatha")


def test_loop_device(drive, refused):
    drive.on_top("loop7", number="7:7")
    drive.file("/sys/block/loop7/loop/backing_file", "/dev/nvme0n1")
    drive.mount("/dev/loop7", "/image")
    refused("nvme0n1 > loop7 is mounted on /image", "losetup --detach /dev/loop7")


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        ("linux_raid_member", 'a Linux md array "box:0"'),
        ("LVM2_member", 'an LVM volume group "box:0"'),
        ("zfs_member", 'a ZFS pool "box:0"'),
        ("isw_raid_member", 'a RAID set (isw_raid_member) "box:0"'),
        ("bcache", 'a bcache "box:0"'),
        ("ceph_bluestore", 'a Ceph cluster "box:0"'),
    ],
)
def test_signature_of_a_member(drive, refused, kind, title):
    part = drive.partition("nvme0n1", 4)
    drive.signatures[f"/dev/{part}"] = [(kind, "box:0"), (kind, "box:0")]
    refused(f"nvme0n1p4 is a member of {title}", f"wipefs --all /dev/{part}", kinds=["member"])


def test_imported_zfs_pool(drive, refused):
    """Nothing in sysfs tells of it, but the kernel lets nobody else have the device."""
    drive.signatures["/dev/nvme0n1"] = [("zfs_member", "tank")]
    drive.exclusive = {"/dev/nvme0n1"}
    refused('a ZFS pool "tank"', "the kernel itself holds nvme0n1 exclusively", "zpool export")


@pytest.mark.parametrize(
    "node", ["/dev/nvme0n1", "/dev/ng0n1", "/dev/nvme0", "/dev/nvme0n1p1", "/jail/dev/nvme0n1"]
)
def test_open_handle(drive, refused, node):
    drive.partition("nvme0n1", 1)
    drive.process(321, "fio", ["/dev/null", "socket:[1]", node])
    refused("is open in process 321 (fio)", "kill 321", kinds=["handle"])


@pytest.mark.parametrize(
    "path", ["/dev/nvme0n1", f"/sys/devices/pci0000:00/{A}/resource0", "/dev/nvme0n1p1"]
)
def test_a_file_that_is_closed_and_still_mapped(drive, refused, path):
    drive.partition("nvme0n1", 1)
    drive.process(321, "cache")
    lines = [
        "55d0-55d1 r-xp 00000000 fe:01 4711       /usr/bin/cache",
        "7f00-7f01 rw-s 00000000 00:06 355        /dev/shm/x",
        f"7f10-7f20 rw-s 00000000 00:06 356        {path}",
        f"7f20-7f30 r--s 00010000 00:06 356        {path}",
        "7ffd-7ffe rw-p 00000000 00:00 0          [stack]",
        "7fff-8000 rw-p 00000000 00:00 0",
    ]
    drive.file("/proc/321/maps", "\n".join(lines))
    refused("is open in process 321 (cache)", kinds=["handle"])


def test_handles_of_other_drives(drive):
    drive.process(321, "fio", ["/dev/nvme0n10", "/dev/nvme1", "/dev/nvme1n1", "/home/dev/nvme0n1x"])
    set_up(drive)
    assert drive.bound_to(A) == VFIO


def test_a_file_opened_in_the_last_moment(drive, monkeypatch):
    """Between the checks and the change: looked at once more."""
    choose = handover.choose_driver

    def slow(*args):
        drive.process(321, "fio", ["/dev/nvme0n1"])
        return choose(*args)

    monkeypatch.setattr(handover, "choose_driver", slow)
    with pytest.raises(InUseError, match=r"process 321"):
        set_up(drive)
    assert drive.bound_to(A) == "nvme"


def test_btrfs_over_several_devices(drive, refused):
    """The mount names the other device."""
    drive.drive(B, index=1, group="15")
    for name in ("nvme0n1", "nvme1n1"):
        drive.link(f"/sys/fs/btrfs/some-uuid/devices/{name}", f"/sys/class/block/{name}")
    drive.mount("/dev/nvme1n1", "/pool", number="0:45", kind="btrfs")
    refused("nvme0n1 is mounted on /pool")


def test_btrfs_in_a_place_that_cannot_be_seen(drive, refused):
    drive.link("/sys/fs/btrfs/some-uuid/devices/nvme0n1", "/sys/class/block/nvme0n1")
    refused("nvme0n1 is mounted on a place that cannot be seen from here")


def test_served_by_the_kernel(drive, refused):
    at = "/sys/kernel/config/nvmet/subsystems/nqn.x/namespaces/1"
    drive.file(f"{at}/device_path", "/dev/nvme0n1")
    drive.file(f"{at}/enable", "1")
    drive.file("/sys/kernel/config/target/core/iblock_0/disk/udev_path", "/dev/nvme0n1")
    refused("namespace 1 of the kernel's NVMe target nqn.x", "iblock_0/disk", kinds=["export"] * 2)


def test_media_that_cannot_be_read(drive, refused):
    drive.signatures["/dev/nvme0n1"] = "wipefs: error: /dev/nvme0n1: Input/output error"
    refused("cannot be looked at", "Input/output error", "--force", kinds=["unreadable"])
    set_up(drive, force=(SERIAL,))
    assert drive.bound_to(A) == VFIO


def test_a_namespace_that_linux_cannot_read(drive):
    """Of a format with metadata: no capacity, nothing to look at."""
    drive.file("/sys/class/block/nvme0n1/size", "0")
    drive.signatures["/dev/nvme0n1"] = "wipefs: error: probing initialization failed"
    set_up(drive)
    assert drive.bound_to(A) == VFIO


# --- several controllers, one namespace ---------------------------------------------------------


def subsystem(machine, head):
    """Two controllers that share namespace 1."""
    for index, address in enumerate((A, B)):
        machine.drive(address, index=index, group=str(14 + index), head=head)
        machine.link(f"/sys/class/nvme-subsystem/nvme-subsys0/nvme{index}",
                     f"/sys/class/nvme/nvme{index}")  # fmt: skip


@pytest.mark.parametrize("head", [True, False])
def test_shared_namespace(machine, refused, head):
    subsystem(machine, head)
    refused(
        "nvme0n1 is shared with another controller (nvme1, 0000:02:00.0)",
        "name both: 0000:02:00.0 too",
        kinds=["shared"],
    )
    set_up(machine, A, B)
    assert (machine.bound_to(A), machine.bound_to(B)) == (VFIO, VFIO)


def test_multipath_head_in_use(machine, refused):
    subsystem(machine, head=True)
    machine.mount("/dev/nvme0n1", "/data")
    machine.process(55, "fio", ["/dev/ng0n1"])
    refused("nvme0n1 is mounted on /data", "ng0n1 is open in process 55")
    with pytest.raises(InUseError, match="mounted on /data"):
        set_up(machine, A, B)


def test_namespace_in_use_through_the_other_controller(machine, refused):
    subsystem(machine, head=False)
    machine.mount("/dev/nvme1n1", "/data")
    refused("nvme1n1, the same namespace behind nvme1, 0000:02:00.0, is mounted on /data")


# --- --force ------------------------------------------------------------------------------------


def test_force(drive):
    drive.mount("/dev/nvme0n1", "/data")
    drive.exclusive = {"/dev/nvme0n1"}
    set_up(drive, force=(f" {SERIAL} ",))
    assert drive.bound_to(A) == VFIO


@pytest.mark.parametrize("serial", ["", " ", "S5GXNX0R", "s5gxnx0r0", "yes", "S5GXNX0R1"])
def test_force_with_a_wrong_serial(drive, serial):
    drive.drive(B, index=1, group="15")  # S5GXNX0R1 is that of a drive which is not named
    drive.mount("/dev/nvme0n1", "/data")
    before = drive.files()
    with pytest.raises(RefusedError, match="not the serial number") as caught:
        set_up(drive, force=(serial,))
    assert SERIAL not in str(caught.value).replace(repr(serial), "")
    assert drive.files() == before


def test_wrong_serial_of_an_unused_drive(drive):
    """Whoever spells a serial means that drive, and no other."""
    with pytest.raises(RefusedError, match="not the serial number"):
        set_up(drive, force=("S5GXNX0R9",))
    assert drive.bound_to(A) == "nvme"


def test_force_is_for_the_drive_with_that_serial(drive):
    drive.drive(B, index=1, group="15")
    drive.mount("/dev/nvme0n1", "/a")
    drive.mount("/dev/nvme1n1", "/b")
    with pytest.raises(InUseError, match=f"{B} is in use"):
        set_up(drive, A, B, force=(SERIAL,))
    assert (drive.bound_to(A), drive.bound_to(B)) == ("nvme", "nvme")
    set_up(drive, A, B, force=(SERIAL, "S5GXNX0R1"))
    assert (drive.bound_to(A), drive.bound_to(B)) == (VFIO, VFIO)


# --- the real machine's files -------------------------------------------------------------------


def test_open_files_of_this_machine():
    """Another process that has a device open is found, with the device's number."""
    with Path("/dev/zero").open() as zero:
        child = subprocess.Popen(["sleep", "1000"], stdin=zero)
    try:
        wanted, found = ("sleep", "/dev/zero", "c1:5"), set()
        deadline = time.monotonic() + 60
        while wanted not in found:  # the name comes a moment after the program
            assert time.monotonic() < deadline, found
            files = [file for file in Tree().open_files() if file.pid == child.pid]
            found = {(f.command, f.target, f.number) for f in files}
    finally:
        child.kill()
        child.wait()


def test_commands_of_this_machine():
    tree = Tree()
    assert tree.run("sh", "-c", "echo out; echo err >&2; exit 3") == (
        type(tree.run("true"))(3, "out\n", "err")
    )
    assert tree.run("no-such-command-at-all").code == 127
    assert tree.run("sleep", "1000", timeout_s=0.01).code == 124
    with pytest.raises(OSError) as caught:
        tree.write("/sys/no/such/file", "1")
    assert caught.value.errno == errno.ENOENT


# --- what hides ----------------------------------------------------------------------------------


def test_the_machines_root_is_final_in_a_container_too(drive, refused):
    drive.process(1, "systemd", namespace="mnt:[7]")
    drive.mount("/dev/nvme0n1", "/", process="1")
    drive.mount("overlay", "/", kind="overlay")
    refused("is mounted on /", "the drive this system runs from")
    with pytest.raises(InUseError, match="Not even --force"):
        set_up(drive, force=(SERIAL,))
    assert drive.bound_to(A) == "nvme"


def test_mounts_outside_of_a_chroot(drive, refused):
    """They are of the same mount namespace, and not in this process's mountinfo."""
    drive.link("/proc/self/root", "/srv/jail")
    drive.process(1, "systemd")
    drive.link("/proc/1/root", "/")
    drive.mount("/dev/nvme0n1", "/data", process="1")
    refused("nvme0n1 is mounted on /data")


def test_root_on_zfs(drive, refused):
    """The mount names a pool, which only the mark on the drive has."""
    drive.mount("rpool/ROOT/debian", "/", kind="zfs")
    drive.signatures["/dev/nvme0n1"] = [("zfs_member", "rpool")]
    drive.exclusive = {"/dev/nvme0n1"}
    refused('a ZFS pool "rpool"', "Not even --force")
    with pytest.raises(InUseError):
        set_up(drive, force=(SERIAL,))
    drive.signatures["/dev/nvme0n1"] = [("zfs_member", "tank")]
    set_up(drive, force=(SERIAL,))
    assert drive.bound_to(A) == VFIO


def test_a_controller_that_the_kernel_passes_through(drive, refused):
    at = "/sys/kernel/config/nvmet/subsystems/nqn.y/passthru"
    drive.file("/dev/nvme0")
    drive.file(f"{at}/device_path", "/dev/nvme0")
    drive.file(f"{at}/enable", "1")
    refused("nvme0 is served as the kernel's NVMe target nqn.y", kinds=["export"])
    drive.file(f"{at}/enable", "0")
    set_up(drive)
    assert drive.bound_to(A) == VFIO
