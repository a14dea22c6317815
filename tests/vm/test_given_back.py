"""A drive goes from the kernel's driver to pynvme and back: nothing of it is changed by that, and
what one has written the other reads."""

import re

import pytest

# Written by the kernel, or by pynvme, where the other tests write nothing.
KERNEL_SLBA, PYNVME_SLBA, LBAS = 1_600_000, 1_700_000, 256

PATTERN = f"""
import struct
def pattern(slba, salt):
    return b"".join(struct.pack("<IB3x", slba + i, salt) * 64 for i in range({LBAS}))
"""

SESSION = (
    PATTERN
    + f"""
import sys, warnings
import nvme as d
warnings.simplefilter("error")
nvme0 = d.Controller(sys.argv[1])
nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 16)
buf = d.Buffer({LBAS} * 512)
nvme0n1.send_cmd(2, qpair, buf, cdw10={KERNEL_SLBA}, cdw12={LBAS - 1}).waitdone()
assert buf[:] == pattern({KERNEL_SLBA}, 1), "the kernel's data"
buf[:] = pattern({PYNVME_SLBA}, 2)
nvme0n1.send_cmd(1, qpair, buf, cdw10={PYNVME_SLBA}, cdw12={LBAS - 1}).waitdone()
nvme0n1.flush(qpair).waitdone()
"""
)

UNDER_LOAD = """
import sys
import nvme as d
nvme0 = d.Controller(sys.argv[1])
nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 16)
kept = d.Buffer(4096)
for number in range(8):
    kept[8:16] = number.to_bytes(8, "little")
    nvme0n1.write(qpair, kept, 2_000_000 + number, 1).waitdone()
nvme0n1.flush(qpair).waitdone()
print("acknowledged", flush=True)
workers = [
    nvme0n1.ioworker(io_size=8, read_percentage=30, qdepth=32, time=300, lba_start=at,
                     region_start=at, region_end=at + 65536).start()
    for at in (0, 65536)
]
while not all(worker.progress().io_count_read > 100 for worker in workers):
    pass
print("under load", flush=True)
for worker in workers:
    worker.close()
"""


def pynvme(guest, *arguments, check=True):
    """`./pynvme ...` in the guest."""
    return guest.run(["python", "-m", "nvme.cli", *arguments], check=check).output


def identity(guest, address):
    """All that says what a drive is and how it is set, as the kernel's driver sees it."""
    name = guest.nvme_name(address)
    guest.run(f"until [ -b /dev/{name}n1 ]; do sleep 0.1; done", timeout_s=20)
    commands = [
        f"nvme id-ctrl /dev/{name} -o binary | sha256sum",
        f"nvme id-ns /dev/{name}n1 -o binary | sha256sum",
        f"nvme list-ns /dev/{name} --all",
        # Arbitration, power management, error recovery, write cache, interrupt coalescing
        *(f"nvme get-feature /dev/{name} -f {fid}" for fid in (1, 2, 5, 6, 8)),
        # The header without addresses, which Linux may place elsewhere; command and status.
        f"od -An -tx1 -j0 -N16 /sys/bus/pci/devices/{address}/config",
        f"cat /sys/block/{name}n1/size /sys/bus/pci/devices/{address}/power_state",
    ]
    return guest.run("\n".join(commands)).output


@pytest.fixture
def handed_over(guest, drive):
    """A drive that has data of the kernel; given back after the test."""
    device = drive(1 << 30)
    device.before = identity(guest, device.address)
    name = guest.nvme_name(device.address)
    guest.python(
        PATTERN + f"with open('/dev/{name}n1', 'r+b', buffering=0) as file:\n"
        f"    file.seek({KERNEL_SLBA} * 512)\n"
        f"    file.write(pattern({KERNEL_SLBA}, 1))\n"
        "    import os; os.fsync(file)\n"
    )
    pynvme(guest, "setup", device.address)
    return device


def given_back(guest, device):
    """The kernel's driver has it again, and it is as it was; its name."""
    pynvme(guest, "reset", device.address)
    assert identity(guest, device.address) == device.before
    return guest.nvme_name(device.address)


def read_as_kernel(guest, name, slba, nlb=LBAS):
    guest.run(
        f"dd if=/dev/{name}n1 of={guest.share}/read bs=512 skip={slba} count={nlb} iflag=direct"
    )
    return (guest.share / "read").read_bytes()


def expected(slba, salt):
    names = {}
    exec(PATTERN, names)
    return names["pattern"](slba, salt)


def test_the_demo_session_unchanged(guest, handed_over):
    result = guest.pytest("scripts/demo_test.py", "--dut", handed_over.address, timeout_s=500)
    result.assert_passed(4)
    assert "QEMU NVMe Ctrl" in result.output
    name = given_back(guest, handed_over)
    assert read_as_kernel(guest, name, KERNEL_SLBA) == expected(KERNEL_SLBA, 1)


def test_what_one_writes_the_other_reads(guest, handed_over):
    script = guest.share / "session.py"
    script.write_text(SESSION)
    guest.run(["python", str(script), handed_over.address])
    name = given_back(guest, handed_over)
    assert read_as_kernel(guest, name, PYNVME_SLBA) == expected(PYNVME_SLBA, 2)
    assert read_as_kernel(guest, name, KERNEL_SLBA) == expected(KERNEL_SLBA, 1)
    errors = guest.run(f"nvme error-log /dev/{name} -o normal -e 4").output
    assert re.search(r"error_count\s*: 0", errors)
    # And the kernel works with it: random writes, each checked.
    fio = (
        f"fio --name=v --filename=/dev/{name}n1 --rw=randwrite --bs=4k --size=4m --direct=1 "
        "--ioengine=psync --verify=crc32c --randseed=1 --do_verify=1 --verify_fatal=1"
    )
    assert "err= 0" in guest.run(fio, timeout_s=120).output


def test_a_file_system_survives(guest, drive):
    device = drive(128 << 20)
    name = guest.nvme_name(device.address)
    mounted = f"mkdir -p /mnt/x && mount /dev/{name}n1 /mnt/x"
    guest.run(
        f"until [ -b /dev/{name}n1 ]; do sleep 0.1; done; mkfs.ext4 -q /dev/{name}n1; {mounted}; "
        "head -c 3000000 /dev/urandom > /mnt/x/file; sha256sum /mnt/x/file > /tmp/sum"
    )
    refused = pynvme(guest, "setup", device.address, check=False)
    assert "/mnt/x" in refused  # what uses it is named
    assert guest.nvme_name(device.address) == name
    guest.run("umount /mnt/x")
    pynvme(guest, "setup", device.address)
    guest.python(
        "import nvme as d\n"
        f"nvme0 = d.Controller('{device.address}')\n"
        "nvme0n1 = d.Namespace(nvme0); assert nvme0n1.verify_enable()\n"
        "r = nvme0n1.ioworker(io_size=8, read_percentage=100, io_count=500).start().close()\n"
        "assert r.error == 0\n"
    )
    pynvme(guest, "reset", device.address)
    name = guest.nvme_name(device.address)
    guest.run(
        f"until [ -b /dev/{name}n1 ]; do sleep 0.1; done; e2fsck -fn /dev/{name}n1; "
        f"mount /dev/{name}n1 /mnt/x; sha256sum -c /tmp/sum; umount /mnt/x"
    )


def test_the_testing_process_is_killed_under_load(guest, handed_over):
    script = guest.share / "load.py"
    script.write_text(UNDER_LOAD)
    process = guest.start_command(["python", "-u", str(script), handed_over.address])
    process.wait_output("under load", 120)
    process.kill()
    assert process.wait(30).returncode == 137

    # The next process finds a device that works, and acknowledged data.
    guest.python(
        "import nvme as d\n"
        f"nvme0 = d.Controller('{handed_over.address}')\n"
        "nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 16)\n"
        "buf = d.Buffer(512)\n"
        "for number in range(8):\n"
        "    nvme0n1.read(qpair, buf, 2_000_000 + number, 1).waitdone()\n"
        "    assert buf.data(7, 0) == 2_000_000 + number and buf.data(15, 8) == number\n"
    )
    # One more is killed, and the kernel's driver gets it without a process in between.
    process = guest.start_command(["python", "-u", str(script), handed_over.address])
    process.wait_output("under load", 120)
    process.kill()
    process.wait(30)
    name = given_back(guest, handed_over)
    data = read_as_kernel(guest, name, 2_000_000, 8)
    numbers = [int.from_bytes(data[512 * i + 8 : 512 * i + 16], "little") for i in range(8)]
    assert numbers == list(range(8))
