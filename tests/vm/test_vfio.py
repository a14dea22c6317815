"""Devices of the machine over VFIO: QEMU's NVMe behind an emulated IOMMU, hot plug, and crashes."""

import re
from pathlib import Path

import pytest
from guests import Guest, Hardware, nvme

from nvme import _core

INSIDE = "tests/vm/inside/test_vfio.py"

# Takes what it opens from the command line.
PRELUDE = """
import sys, time, warnings
import nvme as d
"""


@pytest.fixture
def dut(guest, drive):
    """A device of QEMU's behind a port, bound to vfio-pci."""
    device = drive(256 << 20)
    guest.bind(device.address, "vfio-pci")
    return device


def test_a_device_behind_a_port(guest, dut):
    result = guest.pytest(INSIDE, "--dut", dut.address)
    result.assert_passed()
    assert len(result.outcomes) >= 14


def unit_tests():
    """The C++ tests of the build that is tested."""
    program = Path(_core.__file__).parents[2] / "src/pynvme_pcie_test"
    if not program.exists():
        pytest.skip(f"there is no {program}")
    return program


def test_interrupts_of_each_kind(guest, dut):
    result = guest.run(
        [str(unit_tests()), "--gtest_filter=VfioDeviceTest.*"],
        env={"PYNVME_TEST_VFIO": dut.address},
    )
    assert "[  PASSED  ] 5 tests." in result.output, result.output


def test_a_device_of_another_driver_is_refused_and_left_alone(guest, drive):
    device = drive(64 << 20)
    name = guest.nvme_name(device.address)
    opening = f"{PRELUDE}d.Controller('{device.address}')"
    output = guest.python(opening, check=False).output
    assert f"{device.address} belongs to the kernel's driver nvme" in output
    assert f"./pynvme setup {device.address}" in output
    guest.run(f"nvme id-ctrl /dev/{name} && dd if=/dev/{name}n1 of=/dev/null bs=64k count=4")

    guest.bind(device.address, None)
    output = guest.python(opening, check=False).output
    assert f"{device.address} is bound to no driver: run `./pynvme setup" in output

    output = guest.python(opening.replace(device.address, "0000:7f:00.0"), check=False).output
    assert "there is no device at 0000:7f:00.0" in output


def test_two_devices_at_once(guest, drive):
    duts = [drive(128 << 20, serial=f"TWO{number}") for number in range(2)]
    for dut in duts:
        guest.bind(dut.address, "vfio-pci")
    code = f"""{PRELUDE}
early = d.Buffer(4096, pvalue=100, ptype=0xBEEF)  # before any device is open
controllers = [d.Controller(addr) for addr in {[dut.address for dut in duts]!r}]
assert [c.id_data(23, 4, str).strip() for c in controllers] == ["TWO0", "TWO1"]
spaces = [d.Namespace(c) for c in controllers]
for ns in spaces:
    ns.verify_enable(True)
workers = [ns.ioworker(io_size=8, read_percentage=50, io_count=3000) for ns in spaces]
results = [w.close() for w in [w.start() for w in workers]]
assert [r.error for r in results] == [0, 0], results
late = d.Buffer(64 << 20)  # an arena that both get while they are open
for number, (c, ns) in enumerate(zip(controllers, spaces)):
    q = d.Qpair(c, 8)
    early[8:12] = [number] * 4
    ns.write(q, early, 0, 8).waitdone()
    late.offset = (64 << 20) - 4096
    ns.read(q, late, 0, 8).waitdone()
    late.offset = 0
    assert late[(64 << 20) - 4096:] == early[:]
    q.delete()
spaces[0].close(); controllers[0].close()
q = d.Qpair(controllers[1], 8)
spaces[1].read(q, early, 0, 8).waitdone()
print("both did")
"""
    assert "both did" in guest.python(code).output


LOAD = """
nvme0 = d.Controller(sys.argv[1] if len(sys.argv) > 1 else ADDRESS)
ns = d.Namespace(nvme0)
q = d.Qpair(nvme0, 16)
b = d.Buffer(4096, pvalue=100, ptype=0xBEEF)
ns.write(q, b, 100000, 8).waitdone()
ns.flush(q).waitdone()
print("written", bytes(b[:]).hex(), flush=True)
worker = ns.ioworker(io_size=8, read_percentage=30, region_end=65536, time=600, qdepth=32).start()
while worker.progress().io_count_read < 200:
    time.sleep(0.05)
print("under load", flush=True)
"""


def test_hot_unplug_under_load_and_another_in_its_place(guest, dut):
    code = (
        # The commands' own timeout is far away: the device is seen to be gone.
        f"{PRELUDE}ADDRESS = '{dut.address}'\n{LOAD}".replace(
            "ns =", "nvme0.timeout = 600_000\nns ="
        )
        + """
warnings.simplefilter("ignore")
try:
    while True:
        nvme0.identify(d.Buffer(4096)).waitdone()
        time.sleep(0.05)
except SystemError as error:
    print("identify:", error, flush=True)
result = worker.close()
print("worker:", result.error, result.detail, flush=True)
try:
    nvme0[0x1c]
except SystemError as error:
    print("register:", error, flush=True)
try:
    d.Controller(ADDRESS)
except d.NvmeEnumerateError as error:
    print("again:", error, flush=True)
print("all ended", flush=True)
while not os.path.exists(GO):
    time.sleep(0.05)
another = d.Controller(ADDRESS)  # the old one is not closed yet
check = d.Buffer(4096)
d.Namespace(another).read(d.Qpair(another, 8), check, 0, 8).waitdone()
print("new:", another.id_data(23, 4, str).strip(), flush=True)
nvme0.close()
"""
    )
    go = guest.share / "go"
    code = code.replace("GO", repr(str(go))).replace("import sys", "import os, sys")
    file = guest.share / "unplug.py"
    file.write_text(code)
    process = guest.start_command(f"python -u {file}")
    process.wait_output("under load", 60)
    guest.unplug(dut, timeout_s=30)
    output = process.wait_output("all ended", 60)
    gone = r"is gone: its registers read all ones. The kernel took it away"
    assert re.search(f"identify: .*{gone}", output), output
    assert re.search(f"worker: -3 .*{gone}", output), output
    assert "register: " in output
    assert f"again: there is no device at {dut.address}" in output

    back = nvme("back", 64 << 20, bus="port1", serial="NEWONE")  # in the same place
    assert guest.plug(back) == dut.address
    guest.bind(dut.address, "vfio-pci")
    go.touch()
    output = process.wait(60).output
    guest.unplug(back)
    assert "new: NEWONE" in output


def test_unbinding_a_device_in_use_gives_it_back(guest, dut):
    """As an administrator does it, or `./pynvme reset` from another shell."""
    file = guest.share / "unbind.py"
    file.write_text(
        f"{PRELUDE}ADDRESS = '{dut.address}'\n{LOAD}"
        + """
warnings.simplefilter("ignore")
print("worker:", worker.close().error, flush=True)
"""
    )
    process = guest.start_command(f"python -u {file}")
    process.wait_output("under load", 60)
    guest.bind(dut.address, "nvme")
    name = guest.nvme_name(dut.address)
    written = re.search("written ([0-9a-f]+)", process.output)[1]
    read = guest.run(f"dd if=/dev/{name}n1 bs=4096 skip=12500 count=1 2>/dev/null | od -An -tx1 -v")
    assert "".join(read.output.split()) == written
    assert re.search(r"worker: -[37]", process.wait(60).output)


def test_kill_9_under_load_and_reopen(guest, dut):
    file = guest.share / "kill.py"
    file.write_text(f"{PRELUDE}ADDRESS = '{dut.address}'\n{LOAD}\ntime.sleep(600)")
    process = guest.start_command(f"python -u {file}")
    process.wait_output("under load", 60)

    second = guest.python(f"{PRELUDE}d.Controller('{dut.address}')", check=False).output
    assert re.search(r"in use by pid \d+ \(python", second), second

    written = re.search("written ([0-9a-f]+)", process.output)[1]
    process.kill()
    code = f"""{PRELUDE}
pcie = d.Pcie('{dut.address}')
assert pcie.mem_dword_read(0x14) & 1 == 0, "CC.EN: the device was not reset"
nvme0 = d.Controller(pcie)
ns = d.Namespace(nvme0)
q = d.Qpair(nvme0, 16)
b = d.Buffer(4096)
ns.read(q, b, 100000, 8).waitdone()
assert bytes(b[:]).hex() == "{written}"
assert ns.ioworker(io_size=8, io_count=500).start().close().error == 0
print("as before")
"""
    assert "as before" in guest.python(code).output


def test_a_user_with_the_rights_needs_no_root(guest, dut):
    group = guest.run(
        f"basename $(readlink /sys/bus/pci/devices/{dut.address}/iommu_group)"
    ).output.strip()
    as_user = f"""{PRELUDE}
import os, resource
assert d.Controller and d.Namespace and d.Qpair and d.Buffer  # their modules, while it is root
d.Controller("sim").close()
limit = int(sys.argv[1]) if sys.argv[1:] else resource.RLIM_INFINITY
resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
try:
    nvme0 = d.Controller('{dut.address}')
    q = d.Qpair(nvme0, 8)
    d.Namespace(nvme0).read(q, d.Buffer(4096), 0, 8).waitdone()
    print("read as uid", os.getuid())
except d.NvmeEnumerateError as error:
    print(error)
"""
    file = guest.share / "user.py"
    file.write_text(as_user)
    refused = guest.run(f"python {file}").output
    assert f"cannot open /dev/vfio/{group}: Permission denied" in refused, refused
    assert f"sudo chown $USER /dev/vfio/{group}" in refused
    guest.run(f"chown 65534 /dev/vfio/{group}")
    limited = guest.run(f"python {file} 8388608").output
    assert "limit of locked memory is 8192 KiB" in limited, limited
    assert "ulimit -l unlimited" in limited
    assert "read as uid 65534" in guest.run(f"python {file}").output


def test_the_limit_of_mappings_is_told(guest, dut):
    limit = "/sys/module/vfio_iommu_type1/parameters/dma_entry_limit"
    before = guest.run(f"cat {limit}").output.strip()
    code = f"""{PRELUDE}
nvme0 = d.Controller('{dut.address}')
try:
    blocks = [d.Buffer(64 << 20) for _ in range(8)]
except MemoryError as error:
    print(error)
nvme0.identify(d.Buffer(4096)).waitdone()
print("and goes on")
"""
    guest.run(f"echo 2 > {limit}")
    try:
        output = guest.python(code).output
    finally:
        guest.run(f"echo {before} > {limit}")
    assert re.search(r"no DMA memory: .*VFIO has no mapping left.*it allows 2", output), output
    assert "and goes on" in output


def test_functions_of_one_group():
    """Two functions in a slot share a group: both are opened, or neither."""
    devices = [
        nvme("one", 64 << 20, addr="05.0", multifunction=True),
        nvme("two", 64 << 20, addr="05.1"),
    ]
    with Guest(devices, load=["nvme", "vfio_iommu_type1", "vfio-pci"]) as guest:
        one, two = (guest.address(device) for device in devices)
        guest.bind(one, "vfio-pci")
        refused = guest.python(f"{PRELUDE}d.Controller('{one}')", check=False).output
        assert re.search(rf"its IOMMU group \d+ has other devices \({two}\)", refused), refused
        guest.bind(two, "vfio-pci")
        code = f"""{PRELUDE}
first, second = d.Controller('{one}'), d.Controller('{two}')
for c in (first, second):
    ns = d.Namespace(c)
    ns.verify_enable(True)
    assert ns.ioworker(io_size=8, read_percentage=50, io_count=1000).start().close().error == 0
    ns.close()
first.close()
big = d.Buffer(40 << 20)
q = d.Qpair(second, 8)
d.Namespace(second).read(q, big, 0, 8).waitdone()
pcie = d.Pcie(second)
try:
    pcie.reset()
except RuntimeError as error:
    print(error)
print("both did")
"""
        output = guest.python(code).output
        assert "both did" in output
        assert "cannot get a hot reset: there is no port above it" in output


def test_without_an_iommu_over_uio():
    devices = [nvme("one", 128 << 20, addr="05.0")]
    with Guest(devices, load=["uio_pci_generic"], hardware=Hardware(iommu=None)) as guest:
        address = guest.address(devices[0])
        guest.bind(address, "uio_pci_generic")
        opening = f"{PRELUDE}d.Controller('{address}')"
        refused = guest.python(opening, check=False).output
        assert "is behind no IOMMU: it could read and overwrite all memory" in refused, refused
        allowed = {"PYNVME_ALLOW_NO_IOMMU": "1"}
        refused = guest.run(["python", "-c", opening], env=allowed, check=False).output
        assert "no huge pages" in refused, refused
        guest.run("echo 96 > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")
        result = guest.pytest(
            INSIDE,
            "--dut",
            address,
            "-k",
            "identify or every_length or workers or flr or d3hot_and or memory_space",
            env=allowed,
        )
        result.assert_passed()
        file = guest.share / "pin.py"
        file.write_text(
            f"""{PRELUDE}
import logging
logging.basicConfig(level=logging.WARNING)
nvme0 = d.Controller('{address}')
ns = d.Namespace(nvme0)
q = d.Qpair(nvme0, 8)
b = d.Buffer(4096)
for _ in range(3):
    q.msix_clear()
    assert not q.msix_isset()
    ns.read(q, b, 0)
    deadline = time.monotonic() + 60
    while not q.msix_isset() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert q.msix_isset()
    q.waitdone()
print("the pin works")
"""
        )
        output = guest.run(f"python {file}", env=allowed).output
        assert "the pin works" in output
        assert "UNSAFE" in output

        file.write_text(f"{PRELUDE}ADDRESS = '{address}'\n{LOAD}\ntime.sleep(600)")
        process = guest.start_command(f"python -u {file}", env=allowed)
        process.wait_output("under load", 60)
        second = guest.run(["python", "-c", opening], env=allowed, check=False).output
        assert re.search(r"is in use by pid \d+ \(python", second), second
        process.kill()
        process.wait(30)
        file.write_text(
            f"{PRELUDE}pcie = d.Pcie('{address}')\n"
            "assert pcie.mem_dword_read(0x14) & 1 == 0, 'CC.EN: the device was not reset'\n"
            "nvme0 = d.Controller(pcie)\n"
            "q = d.Qpair(nvme0, 8)\n"
            "b = d.Buffer(4096)\n"
            "d.Namespace(nvme0).read(q, b, 100000, 8).waitdone()\n"
            "print('read', bytes(b[:]).hex())\n"
        )
        written = re.search("written ([0-9a-f]+)", process.output)[1]
        assert f"read {written}" in guest.run(f"python {file}", env=allowed).output
