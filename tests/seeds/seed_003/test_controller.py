# The chapter about the Controller: pieces of a session.
import logging

import pytest

import nvme


def test_create():
    # example 003.17
    import nvme as d
    # end 003.17
    # example 003.18
    import nvme as d
    nvme0 = d.Controller(b'01:00.0')
    # end 003.18


def test_registers(nvme0):
    # example 003.20
    hex(nvme0[0x1c])  # CSTS register, e.g.: '0x1'
    # end 003.20


def test_send_and_reap(nvme0):
    # example 003.21
    nvme0.getfeatures(7)
    # end 003.21
    # example 003.22
    nvme0.waitdone(1)
    # end 003.22
    # example 003.23
    nvme0.getfeatures(7).waitdone()
    # end 003.23


def test_callback(nvme0):
    # example 003.25
    def getfeatures_cb(cdw0, status):
        logging.info(f"get the status: {cdw0}")
    nvme0.getfeatures(0x07, cb=getfeatures_cb).waitdone()
    # end 003.25


def test_identify(nvme0):
    d = nvme
    # example 003.26
    buf = d.Buffer(4096, 'controller identify data')
    nvme0.identify(buf, 0, 1).waitdone()
    logging.info("model number: %s" % buf[24:63, 24])
    # end 003.26
    # example 003.27
    logging.info("model number: %s" % nvme0.id_data(63, 24, str))
    # end 003.27


def test_any_command(nvme0):
    with pytest.warns(UserWarning, match="ERROR status: 00/01"):
        # example 003.28
        nvme0.send_cmd(0xff).waitdone()
        # end 003.28


def test_reset(nvme0):
    # example 003.29
    nvme0.reset()
    # end 003.29
    assert nvme0[0x1C] & 1


def test_downfw(nvme0, firmware_image):
    # example 003.30
    nvme0.downfw('path/to/firmware_image_file')
    # end 003.30
