"""setup and reset: what is bound to what, what is remembered, what a crash leaves."""

import pytest

from nvme.host import handover, permissions
from nvme.host.handover import Options
from nvme.host.machine import UIO, VFIO
from nvme.host.refusals import EXIT_FAILED, EXIT_REFUSED, FailedError, InUseError, RefusedError
from nvme.host.remembered import recall

A, B = "0000:01:00.0", "0000:02:00.0"
NOIOMMU = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"


class Told(list):
    """What was said and warned of."""

    @property
    def text(self):
        return "\n".join(self)


@pytest.fixture
def said():
    return Told()


@pytest.fixture
def warned():
    return Told()


@pytest.fixture
def set_up(machine, said, warned):
    return lambda *addresses, **options: handover.set_up(
        machine, addresses, Options(**options), said.append, warned.append
    )


@pytest.fixture
def reset(machine, said):
    return lambda *addresses: handover.reset(machine, addresses, said.append)


def unchanged(machine, call, *words, error=RefusedError):
    """The call is refused in words, and nothing was written."""
    before = machine.files()
    with pytest.raises(error) as caught:
        call()
    assert machine.files() == before
    assert machine.held_claims() == []
    for word in words:
        assert word in str(caught.value)
    assert caught.value.exit_code == EXIT_REFUSED
    return str(caught.value)


def test_there_and_back(machine, set_up, reset, said, warned):
    machine.drive(A)
    machine.drive(B, index=1, group="15")
    before = machine.files()
    set_up(A)
    assert machine.bound_to(A) == VFIO
    assert machine.read(f"/sys/bus/pci/devices/{A}/driver_override") == VFIO
    assert machine.bound_to(B) == "nvme"
    assert f"{A} is bound to vfio-pci now (before: nvme)" in said
    assert "/dev/vfio/14" in said.text
    assert warned == []
    assert machine.held_claims() == []
    assert all(B not in f"{name} {text}" for name, text in machine.log)

    reset(A)
    assert said[-1] == f"{A} is with the kernel's driver nvme"
    after = machine.files()
    shown = {name for name in after.keys() | before.keys() if after.get(name) != before.get(name)}
    shown.discard(str(machine.path("/sys/bus/pci/drivers_probe")))
    assert shown == {str(machine.path("/run/pynvme/devices.json"))}
    assert recall(machine).entries == {}


def test_the_claim_is_held_until_the_drive_is_gone(machine, set_up):
    machine.drive(A, namespaces=2)
    held = []
    machine.before_unbind = lambda: held.extend(machine.held_claims())
    set_up(A)
    assert held == ["/dev/nvme0n1", "/dev/nvme0n2"]
    assert machine.held_claims() == []


def test_several_are_all_or_none(machine, set_up):
    machine.drive(A)
    machine.drive(B, index=1, group="15")
    machine.mount("/dev/nvme1n1", "/data")
    unchanged(machine, lambda: set_up(A, B), "0000:02:00.0 is in use", "mounted on /data")
    machine.file("/proc/self/mountinfo", "")
    set_up(A, B, A)
    assert (machine.bound_to(A), machine.bound_to(B)) == (VFIO, VFIO)


def test_twice_is_once(machine, set_up, reset, said):
    machine.drive(A)
    set_up(A)
    writes = len(machine.log)
    set_up(A)
    assert said[-2] == f"{A} is bound to vfio-pci already"
    assert len(machine.log) == writes
    reset(A)
    assert machine.bound_to(A) == "nvme"
    reset(A)  # and once more does no harm
    assert machine.bound_to(A) == "nvme"


def test_bound_by_someone_else(machine, set_up, reset):
    """driverctl, libvirt: the override is theirs, but the name is what the user says."""
    machine.drive(A)
    machine.nvme[A]["index"] = 0
    machine._unbound(A)
    machine.file(f"/sys/bus/pci/devices/{A}/driver_override", VFIO)
    machine.driver(VFIO)
    machine._bound(A, VFIO)
    set_up(A)
    assert machine.bound_to(A) == VFIO
    reset()  # was not bound by setup, so not undone without its name
    assert machine.bound_to(A) == VFIO
    reset(A)
    assert machine.bound_to(A) == "nvme"


def test_reset_without_a_name_gives_back_what_setup_took(machine, set_up, reset, said):
    reset()
    assert said == ["Nothing is handed over; there is nothing to give back."]
    machine.drive(A)
    machine.drive(B, index=1, group="15")
    set_up(A, B)
    reset()
    assert (machine.bound_to(A), machine.bound_to(B)) == ("nvme", "nvme")


def test_an_open_device_is_not_given_back(machine, set_up, reset):
    machine.drive(A)
    set_up(A)
    machine.process(4711, "python", ["/dev/vfio/14"])
    unchanged(machine, lambda: reset(A), "open in process 4711 (python)", error=InUseError)
    unchanged(machine, reset, "open in process 4711 (python)", error=InUseError)
    unchanged(machine, lambda: set_up(A), "open in process 4711 (python)", error=InUseError)


@pytest.mark.parametrize(
    "node", ["/dev/vfio/devices/vfio0", f"/sys/devices/pci0000:00/{A}/resource0"]
)
def test_an_open_device_by_other_nodes(machine, set_up, reset, node):
    machine.drive(A)
    set_up(A)
    machine.file(f"/sys/bus/pci/devices/{A}/vfio-dev/vfio0/dev", "510:0")
    machine.process(4711, "python", [node])
    unchanged(machine, lambda: reset(A), "open in process 4711 (python)", error=InUseError)


def test_an_open_device_whose_process_is_hidden(machine, set_up, reset):
    """In another PID namespace, or with the file of the device alone: the group is busy."""
    machine.drive(A)
    set_up(A)
    machine.busy = {"/dev/vfio/14"}
    text = "open (/dev/vfio/14) in a process that cannot be seen"
    unchanged(machine, lambda: reset(A), text, error=InUseError)
    unchanged(machine, reset, text, error=InUseError)
    machine.busy = set()
    reset(A)
    assert machine.bound_to(A) == "nvme"


def test_reset_of_what_was_never_handed_over(machine, reset):
    """No driver is looked for: somebody may have left it without one on purpose."""
    machine.function("0000:00:02.0", class_code=0x030000, group="1")
    machine.function("0000:00:1c.0", class_code=0x060400, group="2", driver="pcieport")
    unchanged(machine, lambda: reset("0000:00:02.0"), "display controller (driver none)")
    unchanged(machine, lambda: reset("0000:00:1c.0"), "a bridge (driver pcieport)")


# --- crashes and stale state --------------------------------------------------------------------


@pytest.mark.parametrize("crash_at", ["driver_override", "unbind", "bind", "devices.json"])
def test_reset_after_a_crash(machine, set_up, reset, crash_at, monkeypatch):
    machine.drive(A)
    with monkeypatch.context() as patch:
        # The process ends here: nothing more is done, not even by `except` or `finally`.
        machine.crash_at = f"/{crash_at}"
        patch.setattr("nvme.host.binding.give_back", lambda *_: None)
        if crash_at == "devices.json":
            patch.setattr("nvme.host.binding.remember", _killed)
        with pytest.raises(SystemExit):
            set_up(A)
    machine.crash_at = None
    if crash_at == "devices.json":  # nothing had been changed
        assert machine.bound_to(A) == "nvme"
        return
    assert A in recall(machine).entries
    reset()
    assert machine.bound_to(A) == "nvme"
    assert machine.read(f"/sys/bus/pci/devices/{A}/driver_override") == "(null)"
    assert recall(machine).entries == {}
    set_up(A)
    assert machine.bound_to(A) == VFIO


def _killed(*_):
    raise SystemExit("killed")


def test_setup_after_a_crash_knows_the_drive(machine, set_up, reset, monkeypatch):
    machine.drive(A)
    with monkeypatch.context() as patch:
        machine.crash_at = "/bind"
        patch.setattr("nvme.host.binding.give_back", lambda *_: None)
        with pytest.raises(SystemExit):
            set_up(A)
    machine.crash_at = None
    assert machine.bound_to(A) is None
    set_up(A)
    entry = recall(machine).entries[A]
    assert (entry.driver, entry.serial) == ("nvme", "S5GXNX0R0")
    reset(A)
    assert machine.bound_to(A) == "nvme"


def test_interrupt_in_the_middle_gives_back(machine, set_up):
    machine.drive(A)

    def interrupt():
        raise KeyboardInterrupt

    machine.before_unbind = interrupt
    with pytest.raises(KeyboardInterrupt):
        set_up(A)
    assert machine.bound_to(A) == "nvme"
    assert machine.read(f"/sys/bus/pci/devices/{A}/driver_override") == "(null)"
    assert recall(machine).entries == {}


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"functions": [1]}', '{"functions": {"0000:01:00.0": 5}}', "\0\0\0",
     '{"functions": {"0000:01:00.0": {"driver": 7, "new": 1}}, "settings": 3}'],
)  # fmt: skip
def test_state_that_makes_no_sense(machine, set_up, reset, text):
    machine.drive(A)
    set_up(A)
    machine.file("/run/pynvme/devices.json", text)
    reset(A)
    assert machine.bound_to(A) == "nvme"


def test_state_of_a_drive_that_was_pulled(machine, set_up, reset):
    machine.drive(A)
    machine.drive(B, index=1, group="15")
    set_up(A, B)
    machine.path(f"/sys/bus/pci/devices/{A}").unlink()
    with pytest.raises(FailedError, match="not there any more") as caught:
        reset()
    assert caught.value.exit_code == EXIT_FAILED
    assert machine.bound_to(B) == "nvme"  # the others are given back nevertheless
    assert recall(machine).entries == {}


def test_an_override_of_before_is_given_back(machine, set_up, reset):
    machine.drive(A)
    machine.file(f"/sys/bus/pci/devices/{A}/driver_override", "nvme")
    set_up(A)
    reset(A)
    assert machine.read(f"/sys/bus/pci/devices/{A}/driver_override") == "nvme"


def test_the_kernel_refuses_the_driver(machine, set_up):
    machine.drive(A)
    machine.refuses = {VFIO}
    with pytest.raises(FailedError) as caught:
        set_up(A)
    assert "could not be bound to vfio-pci" in str(caught.value)
    assert "with the kernel's driver again" in str(caught.value)
    assert machine.bound_to(A) == "nvme"
    assert recall(machine).entries == {}


def test_the_kernel_does_not_take_it_back(machine, set_up, reset):
    machine.drive(A)
    set_up(A)
    machine.refuses = {"nvme"}
    with pytest.raises(FailedError):
        reset(A)
    assert A in recall(machine).entries  # so that another reset tries again
    machine.refuses = set()
    reset()
    assert machine.bound_to(A) == "nvme"


def test_a_drive_that_does_not_come_up(machine, set_up, reset, monkeypatch):
    machine.drive(A)
    set_up(A)
    controller = machine._controller

    def dead(*args, **drive):
        controller(*args, **drive)
        machine.file(f"/sys/bus/pci/devices/{A}/nvme/nvme0/state", "dead")

    monkeypatch.setattr(machine, "_controller", dead)
    with pytest.raises(FailedError, match="does not come up"):
        reset(A)


# --- refusals that are not about uses -----------------------------------------------------------


def test_not_root(machine, set_up, reset):
    machine.drive(A)
    machine.as_root = False
    unchanged(machine, lambda: set_up(A), "only root", "sudo ./pynvme setup")
    unchanged(machine, lambda: reset(A), "only root", "sudo ./pynvme reset")


def test_no_such_device(machine, set_up, reset):
    machine.drive(A)
    unchanged(machine, lambda: set_up(B), "no PCI device at 0000:02:00.0")
    unchanged(machine, lambda: set_up(A, B), "no PCI device at 0000:02:00.0")
    unchanged(machine, lambda: reset(B), "no PCI device at 0000:02:00.0")


def test_not_nvme(machine, set_up):
    machine.function(A, class_code=0x020000, driver="e1000e")
    unchanged(machine, lambda: set_up(A), "no NVMe controller but a network controller", "e1000e")
    set_up(A, not_nvme=True)
    assert machine.bound_to(A) == VFIO


def test_a_network_interface_that_is_up(machine, set_up):
    machine.function(A, class_code=0x020000, driver="e1000e")
    home = f"/sys/devices/pci0000:00/{A}/virtio0/net/eth0"
    machine.file(f"{home}/flags", "0x1003")
    machine.link("/sys/class/net/eth0", home)
    unchanged(
        machine, lambda: set_up(A, not_nvme=True), "eth0 is up", "ip link set eth0 down",
        error=InUseError,
    )  # fmt: skip


def test_a_bridge(machine, set_up):
    machine.function(A, class_code=0x060400, driver="pcieport")
    unchanged(machine, lambda: set_up(A, not_nvme=True), "is a bridge")


def test_others_of_the_group(machine, set_up, said):
    machine.drive(A)
    machine.drive(B, index=1)
    machine.function("0000:00:1c.0", class_code=0x060400, driver="pcieport")
    machine.function("0000:01:00.1", class_code=0x040300, driver=None)
    unchanged(
        machine, lambda: set_up(A), "shares IOMMU group 14 with 0000:02:00.0 (NVMe controller, "
        "driver nvme)", "ACS",
    )  # fmt: skip
    assert machine.bound_to(B) == "nvme"
    set_up(A, B)
    assert (machine.bound_to(A), machine.bound_to(B)) == (VFIO, VFIO)
    assert machine.bound_to("0000:01:00.1") is None


def test_the_others_are_checked_as_well(machine, set_up):
    machine.drive(A)
    machine.drive(B, index=1)
    machine.mount("/dev/nvme1n1", "/data")
    unchanged(machine, lambda: set_up(A, B), "0000:02:00.0 is in use", error=InUseError)


def test_given_to_something_else(machine, set_up):
    """To a virtual machine of Xen, for example."""
    machine.function(A, driver="pciback")
    unchanged(machine, lambda: set_up(A), "belongs to the driver pciback", error=InUseError)


def test_virtual_functions(machine, set_up):
    machine.drive(A)
    machine.function("0000:01:00.1", group="20")
    machine.link(f"/sys/devices/pci0000:00/{A}/virtfn0", "/sys/devices/pci0000:00/0000:01:00.1")
    unchanged(machine, lambda: set_up(A), "0000:01:00.1", "sriov_numvfs", error=InUseError)


def test_driver_that_cannot_be_loaded(machine, set_up):
    machine.drive(A)
    machine.modules = {"nvme"}
    unchanged(machine, lambda: set_up(A), "Module vfio-pci not found", "linux-modules-extra")
    assert machine.bound_to(A) == "nvme"


def test_modules_that_are_loaded(machine, set_up):
    machine.drive(A)
    set_up(A)
    loaded = [words[1] for words in machine.commands if words[0] == "modprobe"]
    assert loaded == [VFIO, "vfio_iommu_type1"]
    machine.drive(B, index=1, group="15")
    machine.file("/sys/module/vfio_iommu_type1/refcnt", "0")
    machine.commands.clear()
    set_up(B)
    assert [words for words in machine.commands if words[0] == "modprobe"] == []


# --- without an IOMMU ---------------------------------------------------------------------------


def test_uio(machine, set_up, reset, said, warned):
    machine.drive(A, group=None)
    machine.file("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "3")
    set_up(A, hugepages_mib=64)
    assert machine.bound_to(A) == UIO
    assert "UNSAFE" in warned.text
    assert "ANY memory" in warned.text
    assert machine.read("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages") == "35"
    reset(A)
    assert machine.bound_to(A) == "nvme"
    assert machine.read("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages") == "3"
    # What crashed on it may have left queues behind.
    writes = [name.rpartition("/")[2] for name, _ in machine.log]
    assert writes.index("reset") > len(writes) - 1 - writes[::-1].index("unbind")
    assert recall(machine).settings == {}


def test_uio_needs_memory(machine, set_up):
    machine.drive(A, group=None)
    machine.path("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages").unlink()
    with pytest.raises(RefusedError, match="no hugepages"):
        set_up(A)
    assert machine.bound_to(A) == "nvme"


def test_uio_behind_an_iommu_is_refused(machine, set_up):
    machine.drive(A)
    unchanged(machine, lambda: set_up(A, driver=UIO), "behind an IOMMU")


def test_no_iommu_and_lockdown(machine, set_up):
    machine.drive(A, group=None)
    machine.file("/sys/kernel/security/lockdown", "none [integrity] confidentiality")
    unchanged(machine, lambda: set_up(A), "locked down (integrity", "Secure Boot can stay on")


def test_lockdown_with_an_iommu(machine, set_up):
    machine.drive(A)
    machine.file("/sys/kernel/security/lockdown", "none [integrity] confidentiality")
    set_up(A)
    assert machine.bound_to(A) == VFIO


@pytest.mark.parametrize(
    ("command_line", "table", "advice"),
    [
        ("quiet", None, "VT-d"),
        ("quiet", "DMAR", "add intel_iommu=on"),
        ("quiet", "IVRS", "AMD-Vi"),
        ("intel_iommu=off", "DMAR", "take intel_iommu=off off"),
    ],
)
def test_no_iommu_and_no_way_around(machine, set_up, command_line, table, advice):
    machine.drive(A, group=None)
    machine.file("/proc/cmdline", command_line)
    if table:
        machine.file(f"/sys/firmware/acpi/tables/{table}")
    machine.modules = {"nvme"}
    unchanged(machine, lambda: set_up(A), "no IOMMU group", advice)
    machine.modules = {"nvme", VFIO}
    with pytest.raises(RefusedError, match="NOIOMMU"):
        set_up(A)


def test_vfio_without_an_iommu(machine, set_up, reset, warned):
    machine.drive(A, group=None)
    machine.modules = {"nvme", VFIO}
    machine.file(NOIOMMU, "N")
    set_up(A)
    assert machine.bound_to(A) == VFIO
    assert machine.log[0] == (NOIOMMU, "Y")
    assert "UNSAFE" in warned.text
    reset(A)
    assert machine.bound_to(A) == "nvme"
    assert (NOIOMMU, "N") in machine.log


# --- permissions --------------------------------------------------------------------------------


def test_user(machine, set_up, said, monkeypatch):
    owners = {}
    monkeypatch.setattr(permissions.os, "chown", lambda path, *ids: owners.update({path: ids}))
    machine.drive(A)
    set_up(A, user="nobody")
    node = machine.path("/dev/vfio/14")
    assert owners == {node: (permissions.pwd.getpwnam("nobody").pw_uid, 0)}
    assert node.stat().st_mode & 0o777 == 0o600
    assert "memlock unlimited" in said.text
    assert "ulimit -l" in said.text
    assert ("udevadm", "settle", "--timeout=10") in machine.commands


def test_group(machine, set_up, said, monkeypatch):
    owners = {}
    monkeypatch.setattr(permissions.os, "chown", lambda path, *ids: owners.update({path: ids}))
    machine.drive(A)
    set_up(A)
    machine.file("/dev/vfio/devices/vfio0")
    machine.file(f"/sys/bus/pci/devices/{A}/vfio-dev/vfio0/dev", "510:0")
    set_up(A, group="daemon")  # later, on what is bound already
    gid = permissions.grp.getgrnam("daemon").gr_gid
    nodes = [machine.path("/dev/vfio/14"), machine.path("/dev/vfio/devices/vfio0")]
    assert owners == dict.fromkeys(nodes, (0, gid))
    assert [node.stat().st_mode & 0o777 for node in nodes] == [0o660, 0o660]
    assert "@daemon - memlock unlimited" in said.text


def test_users_that_are_not_there(machine, set_up):
    machine.drive(A)
    unchanged(machine, lambda: set_up(A, user="no-such-user"), "no user 'no-such-user'")
    unchanged(machine, lambda: set_up(A, group="no-such-group"), "no group 'no-such-group'")


def test_no_users_without_an_iommu(machine, set_up):
    machine.drive(A, group=None)
    unchanged(machine, lambda: set_up(A, user="nobody"), "only root can use a device")


def test_one_at_a_time(machine, set_up):
    """A second setup waits for the lock, which is freed whatever happens."""
    machine.drive(A)
    machine.mount("/dev/nvme0n1", "/data")
    with pytest.raises(InUseError):
        set_up(A)
    machine.file("/proc/self/mountinfo", "")
    set_up(A)
    assert machine.path("/run/pynvme/lock").exists()
