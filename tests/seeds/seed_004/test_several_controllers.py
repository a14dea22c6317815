# Of the example with four controllers (004.21) what needs no NVMe/TCP: two PCIe devices at once.
import nvme as d


def test_two_controllers():
    nvme0 = d.Controller(b"01:00.0")
    nvme1 = d.Controller(b"03:00.0")
    serials = [n.id_data(23, 4, str) for n in (nvme0, nvme1)]
    assert serials[0] != serials[1]
