# A power module's library; `quarchpy` is a stand-in for it and for the module, which are what waits here.
import logging

import pytest

import nvme as d

pytestmark = pytest.mark.usefixtures("quarchpy")


# example 004.43
def test_quarch_defined_poweron_poweroff(nvme0):
    import quarchpy

    def quarch_poweron():
        logging.info("power off by quarch")
        pwr = quarchpy.quarchDevice("SERIAL:/dev/ttyUSB0")
        pwr.sendCommand("run:power up")
        pwr.closeConnection()

    def quarch_poweroff():
        logging.info("power on by quarch")
        pwr = quarchpy.quarchDevice("SERIAL:/dev/ttyUSB0")
        pwr.sendCommand("signal:all:source 7")
        pwr.sendCommand("run:power down")
        pwr.closeConnection()

    s = d.Subsystem(nvme0, quarch_poweron, quarch_poweroff)
# end 004.43
