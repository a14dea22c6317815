# The whole scripts of the first document: sessions of an interpreter, here a test each.


def test_identify():
    # example 001.1
    import nvme as d
    nvme0 = d.Controller(b"01:00.0")  # mended: the comment lost its #; was: nvme0 = d.Controller(b"01:00.0")  `initialize` NVMe controller with its PCIe BDF address
    id_buf = d.Buffer(4096)  # mended: the comment lost its #; was: id_buf = d.Buffer(4096)  `allocate` the buffer
    nvme0.identify(id_buf, nsid=0xffffffff, cns=1)  # mended: the comment lost its #; was: nvme0.identify(id_buf, nsid=0xffffffff, cns=1)  `read` namespace identify data into buffer
    nvme0.waitdone()  # mended: the comment lost its #; was: nvme0.waitdone()  `nvme` commands are executed asynchorously, so we have to
    id_buf.dump()  # mended: the comment lost its #; was: id_buf.dump()  `print` the whole buffer
    # end 001.1


def test_hello_world():
    # The callback calls waitdone(), which is an error said in a warning; the read is sent all the same.
    # example 001.2
    import nvme as d
    data_buf = d.Buffer(512)
    data_buf[100:] = b'hello world'
    nvme0 = d.Controller(b"01:00.0")
    nvme0n1 = d.Namespace(nvme0, 1)
    qpair = d.Qpair(nvme0, 16)  # create IO SQ/CQ pair, with 16 queue-depth
    def write_cb(cdw0, status):  # command callback function
        nvme0n1.read(qpair, data_buf, 0, 1).waitdone()
    nvme0n1.write(qpair, data_buf, 0, 1, cb=write_cb).waitdone()
    qpair.cmdlog()  # print recently issued commands
    assert data_buf[100:111] == b'hello world'  # mended: assignment in an assertion, slice without an end; was: assert data_buf[100:] = b'hello world'
    # end 001.2


def test_temperature_under_load():
    # example 001.3
    import nvme as d
    nvme0 = d.Controller(b"01:00.0")
    nvme0n1 = d.Namespace(nvme0, 1)
    with nvme0n1.ioworker(lba_start = 0, io_size = 256, lba_align = 8,
                          lba_random = False,
                          region_start = 0, region_end = 100000,
                          read_percentage = 0,
                          iops = 0, io_count = 1000000, time = 0,
                          qprio = 0, qdepth = 16), \
         nvme0n1.ioworker(lba_start = 0, io_size = 7, lba_align = 11,
                          lba_random = False,
                          region_start = 0, region_end = 1000,
                          read_percentage = 0,
                          iops = 0, io_count = 100, time = 1000,
                          qprio = 0, qdepth = 64), \
         nvme0n1.ioworker(lba_start = 0, io_size = 8, lba_align = 64,
                          lba_random = False,
                          region_start = 10000, region_end = 1000000,
                          read_percentage = 67,
                          iops = 10000, io_count = 1000000, time = 1000,
                          qprio = 0, qdepth = 16), \
         nvme0n1.ioworker(lba_start = 0, io_size = 8, lba_align = 8,
                          lba_random = True,
                          region_start = 0, region_end = 0xffffffffffffffff,
                          read_percentage = 0,
                          iops = 10, io_count = 100, time = 0,
                          qprio = 0, qdepth = 16):
        import time
        import logging
        import pytemperature
        # monitor device temperature on high loading operations
        logpage_buf = d.Buffer(512)
        nvme0.getlogpage(2, logpage_buf, 512).waitdone()
        logging.info("current temperature: %d" % pytemperature.k2c(logpage_buf[50]&0xffff))
        time.sleep(5)
    # end 001.3


def test_random_read(nvme0n1):
    # example 001.4
    r = nvme0n1.ioworker(io_size = 8, lba_align = 8,
                         lba_random = True, qdepth = 16,
                         read_percentage = 100, time = 10).start().close()
    print(r.io_count_read)
    print(r.mseconds)
    print("IOPS: %dK/s\n", r.io_count_read/r.mseconds)
    # end 001.4
    assert r.io_count_read > 0
    assert r.mseconds > 0
    assert r.error == 0
