"""Devices of the tests: embedded SSDs without latency, a new one for each test."""

import warnings

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


@pytest.fixture
def warned():
    """warned(): the texts of all warnings since the last call, or since the test began."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")

        def texts():
            found = [str(warning.message) for warning in caught]
            caught.clear()
            return found

        yield texts
