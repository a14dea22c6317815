// Docstrings of Pcie: what help(), editors and docs/pcie.md show. Every example runs in
// tests/python/test_docstrings.py.
#pragma once

namespace pynvme::bindings::doc {

constexpr char kPcie[] = R"(A PCIe function.

>>> import nvme as d
>>> pcie = d.Pcie("sim")
>>> class_code = pcie.register(9, 3)
>>> hex(class_code)
'0x10802'
>>> pcie.close()
)";

constexpr char kGetConfig[] =
    R"(Configuration space: an int for one offset, a list of bytes for a slice. IndexError outside of it.

>>> import nvme as d
>>> pcie = d.Pcie("sim")
>>> hex(pcie[0x0e] & 0x7f)  # Header Type
'0x0'
>>> len(pcie[0:64])
64
>>> pcie.close()
)";

constexpr char kSetConfig[] = R"(Write a byte of configuration space, as pcie[offset] = value.

Args:
    index: offset in bytes; IndexError outside of configuration space
    value: 0 to 255

>>> import nvme as d
>>> pcie = d.Pcie("sim")
>>> pcie[0x3c] = 0x0b  # Interrupt Line: for software alone
>>> hex(pcie[0x3c])
'0xb'
>>> pcie.close()
)";

constexpr char kRegister[] = R"(A register of configuration space, little-endian.

Args:
    offset: of its first byte
    byte_count: 1 to 8

IndexError outside of configuration space. It is read by the widest accesses that fit.

>>> import nvme as d
>>> pcie = d.Pcie("sim")
>>> pcie.register(0, 2) == pcie[0] | pcie[1] << 8  # Vendor ID
True
>>> pcie.close()
)";

constexpr char kCapOffset[] =
    R"(Offset of a capability in configuration space; None when there is none.

Args:
    id: Capability ID, 0 to 255: 1 power management, 5 MSI, 0x10 PCI Express, 0x11 MSI-X

>>> import nvme as d
>>> pcie = d.Pcie("sim")
>>> msix = pcie.cap_offset(0x11)
>>> table_size = (pcie.register(msix + 2, 2) & 0x7ff) + 1  # 0-based in the register
>>> pcie.cap_offset(0x09) is None  # vendor specific
True
>>> pcie.close()
)";

constexpr char kMemDwordRead[] = R"(A dword of BAR memory.

Args:
    offset: bytes, a multiple of 4, inside of the BAR
    bar: 0 to 5; ArgumentError when the function has no such memory BAR

>>> import nvme as d
>>> pcie = d.Pcie("sim")
>>> hex(pcie.mem_dword_read(0x08))  # VS, the same as Controller[0x08]
'0x10400'
>>> pcie.close()
)";

constexpr char kMemDwordWrite[] = R"(Write a dword of BAR memory.

Args:
    offset: bytes, a multiple of 4, inside of the BAR
    value: 0 to 0xffffffff
    bar: 0 to 5; ArgumentError when the function has no such memory BAR

>>> import nvme as d
>>> pcie = d.Pcie("sim")
>>> pcie.mem_dword_write(0x24, 0x00ff00ff)  # AQA
>>> hex(pcie.mem_dword_read(0x24))
'0xff00ff'
>>> pcie.close()
)";

constexpr char kPcieAddr[] = R"(The address of the device under test, as it was named.

>>> import nvme as d
>>> pcie = d.Pcie("sim:capacity=1GiB")
>>> pcie.addr
'sim:capacity=1GiB'
>>> pcie.close()
)";

constexpr char kPcieClose[] =
    R"(Give the device up: IOWorkers are stopped, queues deleted, the controller shut down.

Where another script has the same address open, only what was made on this object ends. Objects made
on it raise ArgumentError when they are used afterwards. Closing twice is fine.

>>> import nvme as d
>>> pcie = d.Pcie("sim")
>>> pcie.close()
)";

}  // namespace pynvme::bindings::doc
