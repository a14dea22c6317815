"""Admin commands: Identify, features, log pages, errors, and any command by its opcode.

./pynvme test scripts/admin_test.py    # changes features of the drive for the time of a test
"""

import logging

import pytest

import nvme as d


def test_identify(nvme0, nvme0n1):
    """Fields are named by their bytes, as in the figures of the specification."""
    logging.info("model %s, serial %s", nvme0.id_data(63, 24, str), nvme0.id_data(23, 4, str))
    assert nvme0n1.id_data(7, 0) == nvme0n1.capacity  # NSZE


def test_set_a_feature_and_put_it_back(nvme0):
    """Temperature Threshold (04h) of the composite temperature, over."""
    before = nvme0.getfeatures(4).waitdone()
    nvme0.setfeatures(4, cdw11=350).waitdone()
    assert nvme0.getfeatures(4).waitdone() == 350
    nvme0.setfeatures(4, cdw11=before).waitdone()


def test_smart_counts_reads(nvme0, nvme0n1, qpair):
    """Host Read Commands: bytes 64 to 79 of the SMART / Health log (02h)."""
    log, buf = d.Buffer(512), d.Buffer(4096)

    def host_read_commands():
        nvme0.getlogpage(2, log, 512).waitdone()
        return log.data(79, 64)

    before = host_read_commands()
    for lba in range(10):
        nvme0n1.read(qpair, buf, lba, 1).waitdone()
    assert host_read_commands() == before + 10


def test_a_command_that_does_not_exist(nvme0):
    """Any opcode can be sent; what the drive says comes as a warning and in the callback."""
    statuses = []
    with pytest.warns(UserWarning, match="ERROR status: 00/01"):  # Invalid Command Opcode
        nvme0.send_cmd(0xBF, cb=lambda cdw0, status1: statuses.append(status1 >> 1)).waitdone()
    assert statuses[0] & 0x7FF == 0x001
