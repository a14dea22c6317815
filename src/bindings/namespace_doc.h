// Docstrings of Namespace but for its commands: what help(), editors and docs/namespace.md show.
// Every example runs in tests/python/test_docstrings.py.
#pragma once

namespace pynvme::bindings::doc {

constexpr char kNsid[] = R"(Namespace Identifier, 1 to 0xfffffffe.

>>> import nvme as d
>>> nvme0 = d.Controller("sim:namespaces=2")
>>> d.Namespace(nvme0, 2).nsid
2
>>> nvme0.close()
)";

constexpr char kCapacity[] = R"(Namespace Size in LBAs (NSZE, Identify Namespace bytes 7:0).

LBAs are 0 to capacity - 1.

>>> import nvme as d
>>> nvme0 = d.Controller("sim:capacity=1GiB,lba=512")
>>> d.Namespace(nvme0).capacity
2097152
>>> nvme0.close()
)";

constexpr char kSectorSize[] =
    R"(Bytes of data in an LBA, as it is formatted (LBADS of the LBA format in use).

>>> import nvme as d
>>> nvme0 = d.Controller("sim:lba=4096")
>>> d.Namespace(nvme0).sector_size
4096
>>> nvme0.close()
)";

constexpr char kIoCmdname[] = R"(Name of an IO command, as the specification writes it.

Args:
    opcode: 0 to 255

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> d.Namespace(nvme0).cmdname(0x09)
'Dataset Management'
>>> nvme0.close()
)";

constexpr char kVerifyEnable[] =
    R"(Switch the checking of reads on or off. Returns whether data can be verified.

Args:
    enable: whether reads are checked from now on

A read whose data differ from what was written last completes with status 07/81, and its warning
names the LBA. What was never written since the Namespace was made is not checked. False means that
the host has no memory for the table of CRCs (4 bytes an LBA); nlba_verify makes it smaller.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> nvme0n1 = d.Namespace(nvme0)
>>> nvme0n1.verify_enable()
True
>>> nvme0.close()
)";

constexpr char kNamespaceClose[] = R"(Forget the namespace; commands through it raise ArgumentError.

Nothing is sent to the device.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> nvme0n1 = d.Namespace(nvme0)
>>> nvme0n1.close()
>>> nvme0.close()
)";

}  // namespace pynvme::bindings::doc
