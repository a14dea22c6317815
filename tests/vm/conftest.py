"""Fixtures of tests that need a guest; they skip, and say why, where none can be had."""

import itertools
import os
from pathlib import Path

import pytest
from guests import Guest, UnavailableError, nvme, prepare, root_port

HERE = Path(__file__).resolve().parent
INSIDE = bool(os.environ.get("PYNVME_GUEST"))
PORTS = 6
_numbers = itertools.count()

# What runs inside a guest is started there, by a test beside this file.
collect_ignore = [] if INSIDE else ["inside"]


def pytest_configure(config):
    config.addinivalue_line("markers", "vm: needs a QEMU guest; added to all of tests/vm")


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.vm)


@pytest.fixture(scope="session", autouse=True)
def guests_are_possible():
    """QEMU, the kernel and the tools are in the cache; the first time that takes a minute."""
    if INSIDE:
        return
    try:
        prepare()
    except UnavailableError as error:
        pytest.skip(f"no guests on this machine: {error}")


@pytest.fixture(scope="session")
def guest():
    """The guest that tests share: nvme and vfio-pci are loaded, ports of PCI Express are free.

    What a test changes in it, other than through `drive`, it changes back.
    """
    ports = [root_port(f"port{number}", number) for number in range(1, PORTS + 1)]
    with Guest(ports, load=["nvme", "vfio_iommu_type1", "vfio-pci"]) as shared:
        yield shared


@pytest.fixture
def drive(guest):
    """drive(size, **properties) plugs a new NVMe device of QEMU into the shared guest.

    Returns it, with what the guest calls it in `.address`. After the test it is taken out.
    """
    plugged = []

    def plug(size=1 << 30, **properties):
        device = nvme(f"drive{next(_numbers)}", size, bus=f"port{len(plugged) + 1}", **properties)
        device.address = guest.plug(device)
        plugged.append(device)
        return device

    yield plug
    for device in plugged:
        if device.id in guest.plugged:
            guest.unplug(device)
