# Fixtures as arguments of a test, with a type and without.
import nvme as d

# example 003.51
def test_fixture_example(nvme0, nvme0n1):
    nvme0.getfeatures(7).waitdone()
    qpair = d.Qpair(nvme0, 10)
    buf = d.Buffer(512)
    nvme0n1.read(qpair, buf, 0, 1).waitdone()  # mended: undefined name q; was: nvme0n1.read(q, buf, 0, 1).waitdone()
# end 003.51


# example 003.57
def test_fixture_with_type(nvme0n1: d.Namespace):
    nvme0n1.ioworker()
# end 003.57
