# The class documentation of the first document: each signature, and the examples of two classes.
import re

import nvme
from nvme import Buffer, Controller


def test_signatures(nvme0):
    def signature(text):
        # The headings show the name and that there are arguments, nothing that can be called.
        return getattr(nvme, re.match(r"\w+", text)[0])

    for text in """
# example 001.5
Buffer(self, /, *args, **kwargs)
# end 001.5
# example 001.7
Controller(self, /, *args, **kwargs)
# end 001.7
# example 001.9
DotDict(self, *args, **kwargs)
# end 001.9
# example 001.10
Namespace(self, /, *args, **kwargs)
# end 001.10
# example 001.11
Pcie(self, /, *args, **kwargs)
# end 001.11
# example 001.12
Qpair(self, /, *args, **kwargs)
# end 001.12
# example 001.13
Subsystem(self, /, *args, **kwargs)
# end 001.13
    """.strip().splitlines():
        if not text.startswith("#"):
            assert isinstance(signature(text), type), text

    assert nvme.DotDict(io_count_read=3).io_count_read == 3


def lines(dump):
    return [line.rstrip() for line in dump.splitlines()]


def test_buffer():
    # example 001.6
    b = Buffer(1024, 'example')
    b[0] = 0x5a
    b[1:3] = [1, 2]
    b[4:] = [10, 11, 12, 13]
    b.dump(16)
    assert lines(b.dump(16)) == ["example", "00000000  5a 01 02 00 0a 0b 0c 0d  00 00 00 00 00 00 00 00   Z..............."]  # added: output
    b[:8:2]
    assert b[:8:2] == b'Z\x02\n\x0c'  # added: output
    b.data(2) == 2
    assert b.data(2) == 2  # added: output
    b[2] == 2
    assert b[2] == 2  # added: output
    b.data(2, 0) == 0x02015a
    assert b.data(2, 0) == 0x02015a  # added: output
    len(b)
    assert len(b) == 1024  # added: output
    b
    assert repr(b) == "<buffer name: example>"  # added: output
    b[8:] = b'xyc'
    assert lines(b.dump(16)) == ["example", "00000000  5a 01 02 00 0a 0b 0c 0d  78 79 63 00 00 00 00 00   Z.......xyc....."]  # added: output
    b = Buffer()  # added: the output that follows is that of a new buffer
    b.set_dsm_range(1, 0x1234567887654321, 0xabcdef12)
    b.dump(64)
    assert lines(b.dump(64)) == [  # added: output
        "buffer",  # added
        "00000000  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00   ................",  # added
        "00000010  00 00 00 00 12 ef cd ab  21 43 65 87 78 56 34 12   ........!Ce.xV4.",  # added
        "00000020  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00   ................",  # added
        "00000030  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00   ................",  # added
        ]  # added
    # end 001.6


def test_controller():
    # example 001.8
    n = Controller(b'01:00.0')
    hex(n[0])     # CAP register
    assert n[0] == n.cap & 0xFFFFFFFF  # added: the value is the drive's
    hex(n[0x1c])  # CSTS register
    assert hex(n[0x1c]) == '0x1'  # added: output
    n.id_data(23, 4, str)
    assert len(n.id_data(23, 4, str)) == 20  # added: the value is the drive's
    n.supports(0x18)
    assert n.supports(0x18) in (False, True)  # added: the value is the drive's
    n.supports(0x80)
    assert n.supports(0x80) is True  # added: output
    id_buf = Buffer()
    n.identify(id_buf).waitdone()  # mended: the buffer is missing; was: n.identify().waitdone()
    id_buf.dump(64)
    assert n.id_data(63, 24, str)[:8].encode() in id_buf[24:64]  # added: output
    assert len(id_buf.dump(64).splitlines()) == 5  # added: output
    n.cmdlog(2)
    # end 001.8
