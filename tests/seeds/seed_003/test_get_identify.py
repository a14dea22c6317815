# An error status is a warning, which pytest can expect.
import pytest

import nvme as d

# example 003.24
import warnings

def test_get_identify(nvme0, nvme0n1):
    with pytest.warns(UserWarning, match="ERROR status: 00/0b"):
        nvme0.identify(d.Buffer(), 0, 0).waitdone()  # mended: undefined name id_buf; was: nvme0.identify(id_buf, 0, 0).waitdone()
# end 003.24
