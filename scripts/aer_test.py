"""Asynchronous events: a temperature threshold below the temperature, an illegal doorbell.

./pynvme test scripts/aer_test.py    # changes a threshold for the time of a test
"""

import time

import pytest

import nvme as d

pytestmark = pytest.mark.filterwarnings("ignore:AER notification")


def wait_for(nvme0, events, seconds=5):
    """Events arrive with the completions of admin commands."""
    deadline = time.monotonic() + seconds
    while not events and time.monotonic() < deadline:
        nvme0.getfeatures(7).waitdone()
        time.sleep(0.01)
    return events


def test_temperature_threshold(nvme0, aer):
    log = d.Buffer(512)
    events = []
    aer(lambda cdw0, status1: events.append(cdw0))
    before = nvme0.getfeatures(4).waitdone()
    nvme0.setfeatures(0xB, cdw11=nvme0.getfeatures(0xB).waitdone() | 2).waitdone()
    nvme0.setfeatures(4, cdw11=200).waitdone()  # kelvin: every drive is warmer
    # Type 1 (SMART / health status), information 1 (temperature threshold), log page 2.
    assert wait_for(nvme0, events) == [0x020101]
    nvme0.setfeatures(4, cdw11=before).waitdone()
    nvme0.getlogpage(2, log, 512).waitdone()  # reading the log lets the next event come


def test_callback_with_the_whole_completion(nvme0):
    """The newer style: aer() of the controller, and a callback with one argument."""
    events = []
    nvme0.aer(cb=lambda cpl: events.append(cpl[0]))
    # The doorbell of SQ 4, which was not created.
    nvme0[0x1000 + 2 * 4 * (4 << (nvme0.cap >> 32 & 0xF))] = 1
    for event in wait_for(nvme0, events, 0.2):
        assert event & 7 == 0  # an error event; reporting it is the drive's choice
