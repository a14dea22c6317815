# The hello world of the handbook, with the pieces it is explained by.
# example 003.1
# example 003.2
import pytest
import nvme as d
# end 003.2

# example 003.3
def test_hello_world(nvme0, nvme0n1:d.Namespace):
# end 003.3
    # example 003.4
    read_buf = d.Buffer(512)
    data_buf = d.Buffer(512)
    data_buf[10:21] = b'hello world'
    # end 003.4
    # example 003.5
    qpair = d.Qpair(nvme0, 16)
    # end 003.5

    # example 003.6
    def write_cb(cdw0, status1):
        nvme0n1.read(qpair, read_buf, 0, 1)
    nvme0n1.write(qpair, data_buf, 0, 1, cb=write_cb)
    qpair.waitdone(2)
    # end 003.6
    # example 003.7
    assert read_buf[10:21] == b'hello world'
    # end 003.7
# end 003.1
