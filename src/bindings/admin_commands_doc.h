// Docstrings of the admin commands: what help(), editors and docs/controller.md show. Every example
// runs in tests/python/test_docstrings.py.
#pragma once

namespace pynvme::bindings::doc {

constexpr char kAbort[] = R"(Abort (NVMe Base 2.0 §5.1). Returns self.

Args:
    cid: Command Identifier, 0 to 65535, of the command to abort: latest_cid of its queue
    sqid: its submission queue, 0 to 65535; 0 is the admin queue
    cb: called inside waitdone() as cb(cdw0, status1) or cb(cpl)

Bit 0 of cdw0 is 0 when the command was aborted, 1 when it was not, which is no error: it had
completed, was never sent, or is past aborting. An aborted command completes itself, with status
00/07. More Aborts at a time than ACL (Identify Controller byte 258, 0-based) fail with 01/03.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 16), d.Buffer(4096)
>>> nvme0n1.read(qpair, buf, 0).waitdone()
0
>>> nvme0.abort(qpair.latest_cid, qpair.sqid).waitdone()  # too late
1
>>> nvme0.close()
)";

constexpr char kIdentify[] =
    R"(Identify (NVMe Base 2.0 §5.17). Returns self. id_data() reads single fields.

Args:
    buf: gets the 4096 bytes; None: the data are thrown away
    nsid: 0 to 0xffffffff, for the data structures of a namespace
    cns: Controller or Namespace Structure, 0 to 255: 0 namespace nsid, 1 controller, 2 active
        namespaces, 3 namespace identification descriptors, ...
    cntid: Controller Identifier, 0 to 65535
    csi: Command Set Identifier, 0 to 255
    nvmsetid: NVM Set Identifier, 0 to 65535
    cb: called inside waitdone() as cb(cdw0, status1) or cb(cpl)

The device always transfers 4096 bytes. A Buffer of fewer is taken where its page has the room, else
ArgumentError is raised.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> buf = d.Buffer(4096)
>>> nvme0.identify(buf, nsid=0, cns=1).waitdone()
0
>>> buf.data(63, 24, str).rstrip()  # Model Number, bytes 63:24
'pynvme embedded SSD'
>>> nvme0.close()
)";

constexpr char kGetFeatures[] =
    R"(Get Features (NVMe Base 2.0 §5.15). Returns self; waitdone() gives the value, which is cdw0.

Args:
    fid: Feature Identifier, 0 to 255
    sel: Select, 0 to 7: 0 current, 1 default, 2 saved, 3 supported capabilities
    buf: for features whose value is a data structure
    cdw11, cdw12, cdw13, cdw14, cdw15: as the feature defines them
    cb: called inside waitdone() as cb(cdw0, status1) or cb(cpl)

A feature the device does not have is status 00/02.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> cdw0 = nvme0.getfeatures(7).waitdone()  # Number of Queues, both 0-based
>>> cdw0 & 0xffff, cdw0 >> 16
(15, 15)
>>> nvme0.close()
)";

constexpr char kSetFeatures[] = R"(Set Features (NVMe Base 2.0 §5.27). Returns self.

Args:
    fid: Feature Identifier, 0 to 255
    sv: Save, 0 or 1; 1 keeps the value across resets and power cycles
    buf: for features whose value is a data structure
    cdw11, cdw12, cdw13, cdw14, cdw15: as the feature defines them, cdw11 mostly
    cb: called inside waitdone() as cb(cdw0, status1) or cb(cpl)

A feature that cannot be saved and sv=1 is status 01/0d; one that cannot be changed 01/0e.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> nvme0.setfeatures(4, cdw11=350).waitdone()  # Temperature Threshold, in kelvin
0
>>> nvme0.getfeatures(4).waitdone()
350
>>> nvme0.close()
)";

constexpr char kGetLogPage[] = R"(Get Log Page (NVMe Base 2.0 §5.16). Returns self.

Args:
    lid: Log Page Identifier, bits 7:0; LSP and RAE may be added in bits 14:8 and 15
    buf: gets the data
    size: bytes, a multiple of 4 above 0; all of buf when it is left out
    offset: bytes into the log page; the device wants a multiple of 4
    nsid: 0 to 0xffffffff; the default means the controller
    cb: called inside waitdone() as cb(cdw0, status1) or cb(cpl)

ArgumentError when size is no multiple of 4 or larger than buf. A log page the device does not have
is status 01/09.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> smart = d.Buffer(512, "SMART log")
>>> nvme0.getlogpage(0x02, smart, 512).waitdone()
0
>>> 0 <= smart.data(2, 1) - 273 < 100  # Composite Temperature: bytes 2:1, in kelvin
True
>>> nvme0.close()
)";

constexpr char kFormat[] =
    R"(Format NVM (NVMe Base 2.0 §5.14): all data of the namespace go. Returns self.

Args:
    lbaf: LBA Format index, 0 to 63; Namespace.get_lba_format() finds it
    ses: Secure Erase Settings, 0 to 7: 0 none, 1 user data, 2 cryptographic
    nsid: 0 to 0xffffffff; the last one means all namespaces
    cb: called inside waitdone() as cb(cdw0, status1) or cb(cpl)

A format the device does not have is status 01/0a. Namespace.format() takes sizes instead of an
index, waits, and is what most scripts want.

>>> import nvme as d
>>> nvme0 = d.Controller(d.Ssd(capacity="1GiB"))
>>> nvme0n1 = d.Namespace(nvme0)
>>> nvme0.format(nvme0n1.get_lba_format(4096)).waitdone()
0
>>> nvme0n1.sector_size
4096
>>> nvme0.close()
)";

constexpr char kSanitize[] =
    R"(Sanitize (NVMe Base 2.0 §5.24): starts it and completes. Returns self.

Args:
    option: CDW10, 0 to 0xffffffff. Bits 2:0 are the Sanitize Action: 1 exit failure mode, 2 block
        erase, 3 overwrite, 4 crypto erase
    pattern: CDW11, the pattern of an overwrite
    cb: called inside waitdone() as cb(cdw0, status1) or cb(cpl)

The device goes on by itself; log page 81h (Sanitize Status) has the progress in bytes 1:0 (ffffh
when none is under way) and the outcome in bits 2:0 of bytes 3:2. Its end is an event, a warning `AER
notification is triggered: 0x810106`. Identify Controller bytes 331:328 (SANICAP) say which actions
there are.

>>> import time, warnings
>>> import nvme as d
>>> nvme0 = d.Controller(d.Ssd(capacity="1GiB"))
>>> log = d.Buffer(512)
>>> with warnings.catch_warnings():
...     warnings.simplefilter("ignore")  # of the event
...     cdw0 = nvme0.sanitize(option=2).waitdone()
...     while nvme0.getlogpage(0x81, log).waitdone() == 0 and log.data(1, 0) != 0xffff:
...         time.sleep(0.01)
>>> log.data(3, 2) & 7  # SSTAT: 1, completed
1
>>> nvme0.close()
)";

constexpr char kDst[] =
    R"(Device Self-test (NVMe Base 2.0 §5.9): starts it and completes. Returns self.

Args:
    stc: Self-test Code, 0 to 0xffffffff: 1 short, 2 extended, 0xe vendor specific, 0xf abort
    nsid: 0 the controller alone, 0xffffffff with all namespaces
    cb: called inside waitdone() as cb(cdw0, status1) or cb(cpl)

The device goes on by itself; log page 06h has the progress and the results. One at a time: another
one fails with 01/1d.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> log = d.Buffer(564)
>>> nvme0.dst(stc=2).waitdone()
0
>>> nvme0.getlogpage(0x06, log).waitdone()
0
>>> log[0] & 0xf  # Current Device Self-Test Operation: 2, extended; byte 1 is the per cent done
2
>>> nvme0.dst(stc=0xf).waitdone()  # enough of it
0
>>> nvme0.close()
)";

constexpr char kFwDownload[] = R"(Firmware Image Download (NVMe Base 2.0 §5.13). Returns self.

Args:
    buf: holds the part of the image
    offset: where it belongs in the image, in bytes, a multiple of 4
    size: bytes, a multiple of 4 above 0; all of buf when it is left out
    cb: called inside waitdone() as cb(cdw0, status1) or cb(cpl)

ArgumentError when offset or size is no multiple of 4. The parts must not overlap (status 01/14).
downfw() downloads a whole file and commits it.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> buf = d.Buffer(4096)
>>> nvme0.fw_download(buf, 0).waitdone()
0
>>> nvme0.close()
)";

constexpr char kFwCommit[] = R"(Firmware Commit (NVMe Base 2.0 §5.12). Returns self.

Args:
    slot: Firmware Slot, 0 to 7; 0 leaves the choice to the controller
    action: Commit Action, 0 to 7: 0 replace, 1 replace and activate at the next reset, 2 activate
        at the next reset, 3 replace and activate now
    cb: called inside waitdone() as cb(cdw0, status1) or cb(cpl)

Without a complete image, or for a slot that is not there, the status is 01/07 or 01/06. Status 01/0b
is a success that needs a controller reset to take effect.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> nvme0.fw_download(d.Buffer(4096), 0).waitdone()
0
>>> nvme0.fw_commit(slot=1, action=0).waitdone()
0
>>> nvme0.close()
)";

constexpr char kAer[] = R"(Asynchronous Event Request (NVMe Base 2.0 §5.2). Returns self.

Args:
    cb: called inside waitdone(), for every event from now on, as cb(cdw0, status1) or cb(cpl);
        an explicit None ends that

The driver sends the first requests when it initialises the controller and sends each again when it
has completed, so the callback is mostly what this is for. It takes over one of the driver's where the
controller takes no more (AERL, Identify Controller byte 259, 0-based). aer() without cb always sends
a request; one too many comes back with status 01/05, and counts in waitdone().

Every event is also a warning, `AER notification is triggered: 0x...` with cdw0: the type is in bits
2:0, the information in bits 15:8, the log page to read in bits 23:16. The event stays masked until
that log page was read.

>>> import warnings
>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> events = []
>>> nvme0 = nvme0.aer(cb=lambda cdw0, status1: events.append(cdw0))
>>> with warnings.catch_warnings():
...     warnings.simplefilter("ignore")
...     cdw0 = nvme0.setfeatures(0xb, cdw11=2).waitdone()  # report temperature as an event
...     cdw0 = nvme0.setfeatures(4, cdw11=200).waitdone()  # it is above 200 K
...     while not events:
...         cdw0 = nvme0.getfeatures(7).waitdone()
>>> hex(events[0])
'0x20101'
>>> nvme0.close()
)";

constexpr char kSecuritySend[] = R"(Security Send (NVMe Base 2.0 §5.26). Returns self.

Args:
    buf: holds the data; None with size=0
    spsp: SP Specific, 0 to 65535
    secp: Security Protocol, 0 to 255; 1 is that of the TCG
    nssf: NVMe Security Specific Field, 0 to 255
    size: Transfer Length in bytes; all of buf when it is left out
    cb: called inside waitdone() as cb(cdw0, status1) or cb(cpl)

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> import warnings
>>> with warnings.catch_warnings():
...     warnings.simplefilter("ignore")  # 00/02: level 0 discovery is for receiving only
...     nvme0.security_send(d.Buffer(512), spsp=1).waitdone()
0
>>> nvme0.close()
)";

constexpr char kSecurityReceive[] = R"(Security Receive (NVMe Base 2.0 §5.25). Returns self.

Args:
    buf: gets the data; None with size=0
    spsp: SP Specific, 0 to 65535; with secp=1, 1 is level 0 discovery
    secp: Security Protocol, 0 to 255; 0 lists those that are supported, 1 is that of the TCG
    nssf: NVMe Security Specific Field, 0 to 255
    size: Allocation Length in bytes; all of buf when it is left out
    cb: called inside waitdone() as cb(cdw0, status1) or cb(cpl)

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> buf = d.Buffer(512)
>>> nvme0.security_receive(buf, spsp=0, secp=0).waitdone()  # supported protocols
0
>>> list(buf[8 : 8 + int.from_bytes(buf[6:8], "big")])
[0, 1]
>>> nvme0.close()
)";

constexpr char kMiSend[] = R"(NVMe-MI Send (NVMe-MI 1.2 §4.3). Returns self.

Args:
    opcode: of the Management Interface command, 0 to 255
    dword0, dword1: NVMe Management Dwords 0 and 1
    buf: holds the Request Data
    mtype: NVMe-MI Message Type, 0 to 15; 1 is an MI command
    cb: called inside waitdone() as cb(cdw0, status1) or cb(cpl)

The status of the Management Interface command is bits 7:0 of cdw0, in a completion that is successful;
0 is success, 3 an invalid opcode, 4 an invalid parameter.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> nvme0.mi_send(opcode=3, dword0=2, dword1=0xfff).waitdone()  # Configuration Set
0
>>> nvme0.close()
)";

constexpr char kMiReceive[] = R"(NVMe-MI Receive (NVMe-MI 1.2 §4.3). Returns self.

Args:
    opcode: of the Management Interface command, 0 to 255
    dword0, dword1: NVMe Management Dwords 0 and 1
    buf: gets the Response Data
    mtype: NVMe-MI Message Type, 0 to 15; 1 is an MI command
    cb: called inside waitdone() as cb(cdw0, status1) or cb(cpl)

The status of the Management Interface command is bits 7:0 of cdw0, in a completion that is successful;
0 is success, 3 an invalid opcode, 4 an invalid parameter.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> buf = d.Buffer(4096)
>>> nvme0.mi_receive(opcode=1, buf=buf).waitdone()  # NVM Subsystem Health Status Poll
0
>>> 0 <= buf[2] < 100  # Composite Temperature, in degrees Celsius
True
>>> nvme0.close()
)";

constexpr char kAdminSendCmd[] = R"(Any admin command, legal or not. Returns self.

Args:
    opcode: bits 7:0, 0 to 255; bits 15:8 go to the flags of CDW0 (FUSE, PSDT)
    buf: the data pointer describes all of it, from its offset to its size
    nsid: 0 to 0xffffffff
    cdw10, cdw11, cdw12, cdw13, cdw14, cdw15: as they stand in the SQE
    cb: called inside waitdone() as cb(cdw0, status1) or cb(cpl)

Nothing is checked but that the values fit their fields. Counts are as the specification writes
them, mostly 0-based.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> hex(nvme0.send_cmd(0x0a, cdw10=7).waitdone())  # Get Features, Number of Queues
'0xf000f'
>>> nvme0.close()
)";

}  // namespace pynvme::bindings::doc
