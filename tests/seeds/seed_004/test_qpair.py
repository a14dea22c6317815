# The chapter about the Qpair.
import time

import nvme as d


def test_create(nvme0):
    # example 004.22
    qpair = d.Qpair(nvme0, 10)
    # end 004.22


def test_interrupt(nvme0, nvme0n1, buf):
    # example 004.23
    q = d.Qpair(nvme0, 8)
    q.msix_clear()
    assert not q.msix_isset()
    nvme0n1.read(q, buf, 0, 1) # nvme0n1 is the Namespace of nvme0
    time.sleep(1)
    assert q.msix_isset()
    q.waitdone()
    # end 004.23


# example 004.24
def test_create_many_qpairs(nvme0):
    qlist = []  # container to reference all qpairs
    for i in range(16):
        qlist.append(d.Qpair(nvme0, 8))
    del qlist   # delete all 16 qpairs
# end 004.24
