# Power and resets: pieces of a session.
import nvme as d


def test_power_cycle(nvme0):
    # example 004.40
    subsystem = d.Subsystem(nvme0)
    subsystem.power_cycle(15)  # power off, sleep for 15 seconds, and power on
    # end 004.40
    nvme0.reset()


def test_clean_power_cycle(nvme0):
    # example 004.42
    subsystem = d.Subsystem(nvme0)
    subsystem.shutdown_notify()
    subsystem.power_cycle()
    # end 004.42
    nvme0.reset()


def test_resets(pcie, nvme0, subsystem):
    # example 004.44
    nvme0.reset()     # reset controller by its CC.EN register. We can also reset the NVMe device as a PCIe device:

    pcie.reset()      # PCIe hot reset
    nvme0.reset()

    subsystem.reset() # use register NSSR.NSSRC
    nvme0.reset()
    # end 004.44
    assert nvme0[0x1C] & 1
