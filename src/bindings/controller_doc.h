// Docstrings of Controller but for its commands: what help(), editors and docs/controller.md show.
// Every example runs in tests/python/test_docstrings.py.
#pragma once

namespace pynvme::bindings::doc {

constexpr char kGetRegister[] =
    R"(A controller register of 32 bits, by its offset in BAR0 (NVMe Base 2.0 §3.1.3).

Args:
    offset: bytes, a multiple of 4, below the size of BAR0; IndexError and ArgumentError otherwise

SystemError when the device is gone: all its registers read all ones.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> hex(nvme0[0x08])  # VS
'0x10400'
>>> nvme0.close()
)";

constexpr char kSetRegister[] = R"(Write a controller register of 32 bits, as nvme0[offset] = value.

Args:
    offset: bytes, a multiple of 4, below the size of BAR0
    value: 0 to 0xffffffff

The driver does not know what was written: after CC.EN = 0 it is reset() that brings it back.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> nvme0[0x0c] = 1  # INTMS: mask interrupt vector 0
>>> nvme0.close()
)";

constexpr char kCap[] = R"(Controller Capabilities, all 64 bits (CAP, NVMe Base 2.0 §3.1.3.1).

>>> import nvme as d
>>> nvme0 = d.Controller("sim:mqes=255")
>>> nvme0.cap & 0xffff  # MQES, 0-based
255
>>> nvme0.close()
)";

constexpr char kMdts[] =
    R"(Maximum Data Transfer Size in bytes (Identify Controller byte 77), inclusive.

32 MiB, 65536 LBAs of 512 bytes, when the controller sets no limit.

>>> import nvme as d
>>> nvme0 = d.Controller("sim:mdts=64KiB")
>>> nvme0.mdts
65536
>>> nvme0.close()
)";

constexpr char kTimeout[] =
    R"(Milliseconds a command may take, 1 to 0xffffffff; 10000 at first. Settable.

A command that takes longer is given up by waitdone(): a warning `drive timeout: qpair: ..., cid: ...`,
and a completion with cdw0 = 0xffffffff and status1 = 0xffff. Controller.reset() makes the queues
usable again.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> nvme0.timeout
10000
>>> nvme0.timeout = 2000
>>> nvme0.close()
)";

constexpr char kAddr[] = R"(The address of the device under test, as it was named.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> nvme0.addr
'sim'
>>> nvme0.close()
)";

constexpr char kAdminLatestCid[] =
    R"(Command Identifier of the admin command that was sent last, 0 to 65535.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> cid = nvme0.getfeatures(7).latest_cid
>>> nvme0.waitdone() == 0x000f000f
True
>>> nvme0.close()
)";

constexpr char kAdminLatestLatency[] =
    R"(Latency in microseconds of the admin command whose completion was delivered last.

From the ring of the doorbell to the moment the completion was seen.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> queues = nvme0.getfeatures(7).waitdone()
>>> nvme0.latest_latency > 0
True
>>> nvme0.close()
)";

constexpr char kInitAdminq[] =
    R"(Set up the admin queue (AQA, ASQ, ACQ) and interrupts; CC.EN must be 0.

A step of a nvme_init_func, before the function writes CC.

>>> import time
>>> import nvme as d
>>> def init(nvme0):
...     nvme0[0x14] = 0                        # CC.EN
...     while nvme0[0x1c] & 1: time.sleep(0)   # CSTS.RDY
...     nvme0.init_adminq()
...     nvme0[0x14] = 0x00460001               # IOCQES 4, IOSQES 6, EN
...     while not nvme0[0x1c] & 1: time.sleep(0)
...     nvme0.init_ns()
...     nvme0.setfeatures(7, cdw11=0x000f000f).waitdone()
...     nvme0.init_queues(nvme0.getfeatures(7).waitdone())
>>> nvme0 = d.Controller("sim", nvme_init_func=init)
>>> nvme0.close()
)";

constexpr char kInitNs[] = R"(Identify the controller and its active namespaces.

A step of a nvme_init_func, once the controller is ready. What it reads gives mdts, AERL and the
limits of IOWorkers.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> nvme0.init_ns()
>>> nvme0.close()
)";

constexpr char kInitQueues[] =
    R"(Say how many IO queues there are. The last step of a nvme_init_func.

Args:
    cdw0: of Get or Set Features, Number of Queues (07h): NSQA in bits 15:0, NCQA in bits 31:16,
        both 0-based

>>> import nvme as d
>>> nvme0 = d.Controller("sim:queues=4")
>>> nvme0.init_queues(nvme0.getfeatures(7).waitdone())
>>> nvme0.close()
)";

constexpr char kAdminWaitdone[] =
    R"(Wait for admin commands; their callbacks run in here. Returns cdw0 of the last one.

Args:
    expected: how many, 0 to 65535; AERs that arrive come on top

Raises TimeoutError at once when nothing is outstanding that could complete, and ArgumentError in a
callback: callbacks may send commands, but not wait.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> queues = nvme0.getfeatures(7).waitdone()
>>> nvme0 = nvme0.getfeatures(4).getfeatures(5)
>>> cdw0 = nvme0.waitdone(2)
>>> nvme0.close()
)";

constexpr char kAdminCmdname[] = R"(Name of an admin command, as the specification writes it.

Args:
    opcode: 0 to 255

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> nvme0.cmdname(0x06)
'Identify'
>>> nvme0.close()
)";

constexpr char kControllerClose[] =
    R"(Give the controller up: IOWorkers are stopped, queues deleted, the controller shut down.

The device is closed as well where the Controller was made from an address; a Pcie that it was made
from stays open. Where another Controller object has the same device open, only what was made with
this one ends. Objects made on it raise ArgumentError when they are used afterwards. Closing twice is
fine, and so is not closing at all: the last reference, or the end of the interpreter, does it.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> nvme0.close()
)";

}  // namespace pynvme::bindings::doc
