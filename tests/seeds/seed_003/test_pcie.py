# The chapters about Pcie and Subsystem: pieces of a session.
import nvme as d


def test_pcie(nvme0):
    # example 003.45
    pcie = d.Pcie(nvme0)
    # end 003.45
    # example 003.46
    [hex(byte) for byte in pcie[0:4]]  # mended: full-width colon, hex() of four bytes; was: hex(pcie[0：4])  # Byte 0/1/2/3
    # end 003.46
    # example 003.47
    pm_offset = pcie.cap_offset(1)  # Power Management Capability
    # end 003.47
    assert pcie[pm_offset] == 1
    # example 003.48
    pcie.reset()
    # end 003.48
    nvme0.reset()


def test_subsystem(nvme0):
    # example 003.49
    subsystem = d.Subsystem(nvme0)
    subsystem.reset()
    subsystem.shutdown_notify(abrupt=True)
    subsystem.power_cycle(15)  # power off, delay 15 seconds, and power on
    # end 003.49
    nvme0.reset()
    assert nvme0[0x1C] & 1
