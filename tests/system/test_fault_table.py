"""Every fault is found, and at the right LBA; nothing is found where there is no fault.

PYNVME_FAULT_TABLE_IOS=10000000 and PYNVME_CLEAN_IOS=100000000 make it the long run.
"""

import os

import fault_table
import pytest

IOS = int(os.environ.get("PYNVME_FAULT_TABLE_IOS", "20000"))
CLEAN_IOS = int(os.environ.get("PYNVME_CLEAN_IOS", "200000"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", fault_table.CASES, ids=lambda case: f"{case.opcode} {case.action}")
def test_every_fault_is_found(case):
    row = fault_table.run_case(case, IOS)
    assert row.fired == 1
    assert row.right, (row.classified, row.lba, row.bad_lbas, row.lbas, row.text)


def test_no_false_alarm():
    results, _ = fault_table.run_clean(CLEAN_IOS)
    for result in results:
        assert result.error == 0, result.detail
    assert sum(result.io_count_read + result.io_count_nonread for result in results) >= CLEAN_IOS
