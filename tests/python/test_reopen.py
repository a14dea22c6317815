"""What one script leaves behind does not keep the next one from working."""

import pytest

import nvme as d


def test_a_second_controller_on_one_function():
    pcie = d.Pcie("sim:serial=REOPEN,latency=0")
    first = d.Controller(pcie)
    model = first.id_data(63, 24, str)
    del first
    second = d.Controller(pcie)
    assert second.id_data(63, 24, str) == model
    second.close()
    pcie.close()


def test_opening_switches_the_power_on():
    nvme0 = d.Controller("sim:serial=POWER,latency=0")
    d.Subsystem(nvme0).poweroff()
    nvme0.close()
    nvme0 = d.Controller("sim:serial=POWER,latency=0")
    assert nvme0[0x1C] & 1 == 1
    nvme0.close()


def test_a_worker_whose_device_was_closed_says_so():
    nvme0 = d.Controller("sim:serial=CLOSED,latency=0")
    worker = d.Namespace(nvme0).ioworker(io_count=10**9).start()
    nvme0.close()
    with pytest.warns(UserWarning, match="ioworker host ERROR -7: sudden terminated"):
        assert worker.close().error == -7
