# The chapter about the Namespace.
import logging

import nvme as d


def test_create(nvme0):
    # example 004.25
    nvme0n1 = d.Namespace(nvme0, nsid=1)
    # end 004.25


# example 004.26
def test_invalid_io_command_0xff(nvme0n1):
    logging.info("controller0 namespace size: %d" % nvme0n1.id_data(7, 0))
# end 004.26


# example 004.27
def test_write_lba_0(nvme0, nvme0n1):
    buf = d.Buffer(512)
    qpair = d.Qpair(nvme0, 16)
    nvme0n1.write(qpair, buf, 0).waitdone()
# end 004.27


def test_trim():
    # example 004.28
    nvme0 = d.Controller(b'01:00.0')
    buf = d.Buffer(4096)
    qpair = d.Qpair(nvme0, 8)
    nvme0n1 = d.Namespace(nvme0)
    buf.set_dsm_range(0, 0, 8)
    buf.set_dsm_range(1, 8, 64)
    nvme0n1.dsm(qpair, buf, 2).waitdone()
    # end 004.28


def test_fused(nvme0n1, qpair):
    q = qpair
    b = d.Buffer(512)
    nvme0n1.write(q, b, 8).waitdone()
    # example 004.29
    nvme0n1.send_cmd(5|(1<<8), q, b, 1, 8, 0, 0)
    nvme0n1.send_cmd(1|(1<<9), q, b, 1, 8, 0, 0)
    q.waitdone(2)
    # end 004.29


# example 004.30
def test_ioworker_write_read_verify(nvme0n1, verify):
    assert verify

    nvme0n1.ioworker(io_size=8, lba_align=8, lba_random=False,
                     region_start=0, region_end=100000,  # mended: missing comma; was: region_start=0, region_end=100000
                     read_percentage=0, time=2).start().close()

    nvme0n1.ioworker(io_size=8, lba_align=8, lba_random=False,
                     region_start=0, region_end=100000,  # mended: missing comma; was: region_start=0, region_end=100000
                     read_percentage=100, time=2).start().close()
# end 004.30
