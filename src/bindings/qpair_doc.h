// Docstrings of Qpair: what help(), editors and docs/qpair.md show. Every example runs in
// tests/python/test_docstrings.py.
#pragma once

namespace pynvme::bindings::doc {

constexpr char kQpair[] = R"(An IO submission queue and its completion queue.

Args:
    nvme: the Controller
    depth: entries of both, 2 to min(1024, MQES + 1), both inclusive; depth - 1 commands fit
    prio: queue priority under weighted round robin, 0 (urgent) to 3 (low)
    ien: interrupts enabled
    iv: interrupt vector; 0xffff lets the driver choose

The queue is deleted on the device when the last reference goes, or by delete(). Raises
QpairCreationError when the device refuses it, and a subclass of that and AssertionError for a wrong
argument.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> qpair = d.Qpair(nvme0, 16)
>>> qpair.sqid
1
>>> nvme0.close()
)";

constexpr char kQpairWaitdone[] =
    R"(Wait for commands of this queue; their callbacks run in here. Returns cdw0 of the last one.

Args:
    expected: how many, 0 to 65535

Raises TimeoutError at once when nothing is outstanding that could complete, and ArgumentError in a
callback: callbacks may send commands, but not wait. A command that completes in error is a warning
`ERROR status: 02/81`, status code type and status code in hexadecimal.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 16), d.Buffer(4096)
>>> for lba in range(10):
...     qpair = nvme0n1.read(qpair, buf, lba)
>>> qpair.waitdone(10)
0
>>> nvme0.close()
)";

constexpr char kDelete[] = R"(Delete the submission and the completion queue on the device.

QpairDeletionError when the device refuses. Commands under way are aborted by the device, and their
callbacks do not run. Using the object afterwards raises ArgumentError; deleting twice is fine.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> qpair = d.Qpair(nvme0, 16)
>>> qpair.delete()
>>> nvme0.close()
)";

constexpr char kSqid[] =
    R"(Identifier of the submission queue, 1 to 65535; the completion queue has the same.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> qpairs = [d.Qpair(nvme0, 16) for i in range(3)]
>>> [qpair.sqid for qpair in qpairs]
[1, 2, 3]
>>> nvme0.close()
)";

constexpr char kQpairLatestCid[] =
    R"(Command Identifier of the command that was sent last, 0 to 65535.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 16), d.Buffer(4096)
>>> cid = nvme0n1.read(qpair, buf, 0).latest_cid
>>> cdw0 = qpair.waitdone()
>>> cdw0 = nvme0.abort(cid, qpair.sqid).waitdone()
>>> nvme0.close()
)";

constexpr char kQpairLatestLatency[] =
    R"(Latency in microseconds of the command whose completion was delivered last.

From the ring of the doorbell to the moment the completion was seen.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 16), d.Buffer(4096)
>>> nvme0n1.read(qpair, buf, 0).waitdone()
0
>>> qpair.latest_latency > 0
True
>>> nvme0.close()
)";

constexpr char kMsixClear[] = R"(Forget the interrupts that arrived on the queue's vector.

ArgumentError when the queue was made with ien=False.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> qpair = d.Qpair(nvme0, 16)
>>> qpair.msix_clear()
>>> qpair.msix_isset()
False
>>> nvme0.close()
)";

constexpr char kMsixIsset[] =
    R"(Whether an interrupt arrived on the queue's vector since msix_clear().

ArgumentError when the queue was made with ien=False.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 16), d.Buffer(4096)
>>> qpair.msix_clear()
>>> nvme0n1.read(qpair, buf, 0).waitdone()
0
>>> qpair.msix_isset()
True
>>> nvme0.close()
)";

constexpr char kMsixMask[] = R"(Mask the queue's vector: messages stay pending at the device.

ArgumentError when the queue was made with ien=False. waitdone() still works: it looks at the
completion queue, not at interrupts.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 16), d.Buffer(4096)
>>> qpair.msix_clear()
>>> qpair.msix_mask()
>>> nvme0n1.read(qpair, buf, 0).waitdone()
0
>>> qpair.msix_isset()
False
>>> qpair.msix_unmask()
>>> nvme0.close()
)";

constexpr char kMsixUnmask[] = R"(Unmask the queue's vector; a message that is pending is sent.

ArgumentError when the queue was made with ien=False.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> qpair = d.Qpair(nvme0, 16)
>>> qpair.msix_mask()
>>> qpair.msix_unmask()
>>> nvme0.close()
)";

}  // namespace pynvme::bindings::doc
