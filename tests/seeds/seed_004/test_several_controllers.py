# Two drives on the virtual bus and two NVMe/TCP targets (conftest.py).
# ruff: noqa: UP031 - the text is the document's
import logging

import nvme as d


def test_four_controllers(tcp_targets, caplog):
    caplog.set_level(logging.INFO)
    # fmt: off
    # example 004.21
    nvme0 = d.Controller(b'01:00.0')
    nvme1 = d.Controller(b'03:00.0')
    nvme2 = d.Controller(b'10.24.48.17')
    nvme3 = d.Controller(b'127.0.0.1:4420')
    for n in (nvme0, nvme1, nvme2, nvme3):
        logging.info("model number: %s" % n.id_data(63, 24, str))
    # end 004.21
    # fmt: on
    lines = [record.message for record in caplog.records if "model number" in record.message]
    assert len(lines) == 4
    serials = [n.id_data(23, 4, str) for n in (nvme0, nvme1, nvme2, nvme3)]
    assert len(set(serials)) == 4
    for n in (nvme2, nvme3):
        n.close()
