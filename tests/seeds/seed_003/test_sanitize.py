# Sanitize with a progress bar; `sg` is a stand-in for the window, which is what waits here.
import logging
import time
import warnings

import pytest

pytestmark = pytest.mark.usefixtures("sg")


# example 003.9
# example 003.10
def test_sanitize(nvme0, nvme0n1, buf):
    if nvme0.id_data(331, 328) == 0:
        warnings.warn("sanitize operation is not supported")
        return
        # end 003.10

    # example 003.11
    logging.info("supported sanitize operation: %d" % nvme0.id_data(331, 328))
    nvme0.sanitize().waitdone()
    # end 003.11

    # example 003.12
    # sanitize status log page
    nvme0.getlogpage(0x81, buf, 20).waitdone()
    while buf.data(3, 2) & 0x7 != 1:  # sanitize is not completed
        progress = buf.data(1, 0)*100//0xffff
        sg.OneLineProgressMeter('sanitize progress', progress, 100,
                                'progress', orientation='h')
        nvme0.getlogpage(0x81, buf, 20).waitdone()
        time.sleep(1)
        # end 003.12
# end 003.9
