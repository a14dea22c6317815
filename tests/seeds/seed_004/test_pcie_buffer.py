# The chapters about PCIe and Buffer: pieces of a session.
import nvme as d


def test_pcie():
    # example 004.1
    pcie = d.Pcie('3d:00.0')
    [hex(byte) for byte in pcie[0:4]]  # mended: hex() of four bytes; was: hex(pcie[0:4])                  # Byte 0/1/2/3
    pm_offset = pcie.cap_offset(1)  # find Power Management Capability
    pcie.reset()
    pcie.aspm = 2                   # set ASPM control to enable L1 only
    pcie.power_state = 3            # set PCI PM power state to D3hot
    # end 004.1
    assert pcie.power_state == 3


def test_buffer(nvme0):
    nvme = nvme0
    # example 004.2
    buf = d.Buffer(512, "part of identify data")
    nvme.identify(buf).waitdone()
    # now, the buf contains the identify data
    print(buf[0:4])
    del buf  # delete the `Buffer` after the commands complete.
    # end 004.2
