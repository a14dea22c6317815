"""For every field the embedded SSD checks, the status it must give: see status_table/row.py.

    pytest tests/system/test_status_table.py -k create_io_cq

A new row goes into the file of its command in status_table/; its `__init__.py` joins them."""

import pytest
from status_table import ROWS, io
from status_table.host import Host

import nvme as d


def check(row, **config):
    ssd = d.Ssd(**{"capacity": "1GiB"} | config | row.ssd)
    host = Host(ssd)
    try:
        row.check(host)
    finally:
        host.close()
        ssd.unplug()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_status(row):
    check(row, latency=0)


@pytest.mark.parametrize("row", io.ROWS, ids=lambda row: row.id)
def test_status_with_the_latency_model(row):
    """IO commands take another way through the SSD then."""
    check(row, latency=1)


def test_the_table_is_whole():
    ids = [row.id for row in ROWS]
    assert len(set(ids)) == len(ids) >= 150
