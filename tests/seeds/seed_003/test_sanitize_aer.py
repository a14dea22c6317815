# Sanitize with the event at its end; `sg` is a stand-in for the window, which is what waits here.
import logging
import time
import warnings

import pytest

pytestmark = pytest.mark.usefixtures("sg")


# example 003.31
def test_sanitize(nvme0, nvme0n1, buf, aer):
    if nvme0.id_data(331, 328) == 0:
        warnings.warn("sanitize operation is not supported")
        return

    def cb(cdw0, status):
        logging.info("aer cb in script: 0x%x, 0x%x" % (cdw0, status))
    aer(cb)

    logging.info("supported sanitize operation: %d" % nvme0.id_data(331, 328))
    nvme0.sanitize().waitdone()

    # sanitize status log page
    nvme0.getlogpage(0x81, buf, 20).waitdone()
    while buf.data(3, 2) & 0x7 != 1:  # sanitize is not completed
        progress = buf.data(1, 0)*100//0xffff
        sg.OneLineProgressMeter('sanitize progress', progress, 100,
                                'progress', orientation='h')
        nvme0.getlogpage(0x81, buf, 20).waitdone()
        time.sleep(1)
# end 003.31
