# The chapter about the Controller: pieces of a session.
import logging

import pytest

import nvme


def test_create():
    # example 004.4
    import nvme as d
    nvme0 = d.Controller(b'01:00.0')
    # end 004.4
    # example 004.5
    csts = nvme0[0x1c]  # CSTS register, e.g.: '0x1'
    # end 004.5
    assert csts == 1


def test_send_and_reap(nvme0):
    # example 004.6
    nvme0.getfeatures(7)
    # end 004.6
    # example 004.7
    nvme0.waitdone(1)
    # end 004.7
    # example 004.8
    nvme0.getfeatures(7).waitdone()
    # end 004.8


def test_callback(nvme0):
    # example 004.9
    def getfeatures_cb(cdw0, status1):
        logging.info(status1)
    nvme0.getfeatures(7, cb=getfeatures_cb).waitdone()
    # end 004.9


def test_read_in_callback(nvme0, nvme0n1, qpair):
    data_buf, read_buf = nvme.Buffer(512), nvme.Buffer(512)
    # example 004.10
    def write_cb(cdw0, status1):
        nvme0n1.read(qpair, read_buf, 0, 1)
    nvme0n1.write(qpair, data_buf, 0, 1, cb=write_cb).waitdone(2)
    # end 004.10


def test_identify(nvme0):
    d = nvme
    # example 004.11
    buf = d.Buffer(4096, 'controller identify data')
    nvme0.identify(buf, 0, 1).waitdone()
    logging.info("model number: %s" % buf[24:63, 24])
    # end 004.11
    # example 004.12
    logging.info("model number: %s" % nvme0.id_data(63, 24, str))
    # end 004.12
    # example 004.13
    logging.info("vid: 0x%x" % nvme0.id_data(1, 0))
    # end 004.13


def test_any_command(nvme0):
    with pytest.warns(UserWarning, match="ERROR status: 00/01"):
        # example 004.14
        nvme0.send_cmd(0xff).waitdone()
        # end 004.14
    # example 004.15
    def getfeatures_cb_2(cdw0, status1):
        logging.info(status1)
    nvme0.send_cmd(0xa, nsid=1, cdw10=7, cb=getfeatures_cb_2).waitdone()
    # end 004.15


def test_reset(nvme0):
    # example 004.16
    nvme0.reset()
    # end 004.16
    assert nvme0[0x1C] & 1


def test_downfw(nvme0, firmware_image):
    # example 004.17
    nvme0.downfw('path/to/firmware_image_file')
    # end 004.17


def test_timeout(nvme0):
    # example 004.18
    nvme0.timeout=30000  # the unit is milli-second
    nvme0.format().waitdone()  # format may take long time
    nvme0.timeout=10000  # recover to usual timeout configuration
    # end 004.18
    assert nvme0.timeout == 10000
