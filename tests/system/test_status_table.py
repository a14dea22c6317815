"""For every field the embedded SSD checks, the status it must give: see status_table/row.py.

    pytest tests/system/test_status_table.py -k create_io_cq

A new row goes into the file of its command in status_table/; its `__init__.py` joins them."""

import pytest
from status_table import ROWS
from status_table.host import Host

import nvme as d


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_status(row):
    ssd = d.Ssd(**{"capacity": "1GiB", "latency": 0} | row.ssd)
    host = Host(ssd)
    try:
        row.check(host)
    finally:
        host.close()
        ssd.unplug()


def test_the_table_is_whole():
    ids = [row.id for row in ROWS]
    assert len(set(ids)) == len(ids) >= 150
