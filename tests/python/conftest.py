"""Devices of the tests: embedded SSDs without latency, a new one for each test."""

import pytest

import nvme as d


@pytest.fixture
def ssd():
    device = d.Ssd(capacity="1GiB", latency=0)
    yield device
    device.unplug()


@pytest.fixture
def pcie(ssd):
    function = d.Pcie(ssd)
    yield function
    function.close()
