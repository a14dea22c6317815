"""What a row of the table is: a command, the fields that are wrong in it, and the status for that.

A row is checked on an SSD of its own. The wrong command has to complete with the status and DNR of
its row and leave an entry in the Error Information log, and the same command with the fields put
right has to succeed: so it is the field that is at fault."""

from dataclasses import dataclass, field

from status_table.host import ADMIN, IO, Host
from status_table.status import Status

# name: (dword, highest bit, lowest bit); every command has these.
COMMON = {
    "opcode": (0, 7, 0),
    "fuse": (0, 9, 8),
    "psdt": (0, 15, 14),
    "nsid": (1, 31, 0),
    "cdw2": (2, 31, 0),
    "cdw3": (3, 31, 0),
    **{f"cdw{i}": (i, 31, 0) for i in range(10, 16)},
}


@dataclass(frozen=True)
class Command:
    """A command with the values it is usually sent with.

    Besides its fields a value may be: pages (of the data), prp1 and prp2 (whole addresses),
    prp1_offset and prp2_offset (added to the usual address), prp_list (address, by the index of
    the entry), data (bytes for the first page)."""

    name: str
    opcode: int
    queue: int = ADMIN
    fields: dict = field(default_factory=dict)
    usual: dict = field(default_factory=dict)

    def __call__(self, **values):
        return Step(self, values)


@dataclass(frozen=True)
class Step:
    """A command as it is sent: some values differ from the usual ones."""

    command: Command
    values: dict

    def __str__(self):
        return f"{self.command.name}({_all(self.values)})"

    def dwords(self, host):
        values = {"opcode": self.command.opcode, **self.command.usual, **self.values}
        dwords = [0] * 16
        prp1, prp2 = self._data(host, values)
        for index, address in ((6, prp1), (8, prp2)):
            dwords[index : index + 2] = address & 0xFFFFFFFF, address >> 32
        for name, value in values.items():
            dword, high, low = self.place(name)
            mask = (1 << (high - low + 1)) - 1
            assert value & ~mask == 0, f"{name}={value:#x} has more than {high - low + 1} bits"
            for i in range(2 if high >= 32 else 1):  # a field of 64 bits takes two dwords
                part = mask << low >> 32 * i & 0xFFFFFFFF
                dwords[dword + i] = dwords[dword + i] & ~part | (value << low >> 32 * i) & part
        return dwords

    def place(self, name):
        return self.command.fields.get(name) or COMMON[name]

    @staticmethod
    def _data(host, values):
        """Takes what is not a field of the command out of values; PRP1 and PRP2."""
        pages = values.pop("pages", 0)
        data = values.pop("data", None)
        if callable(data):
            data = data(host)
        if data is not None:
            host.pages[0 : len(data)] = data
        prp1 = prp2 = 0
        if pages >= 1:
            prp1 = host.page(0)
        if pages == 2:
            prp2 = host.page(1)
        if pages > 2:
            entries = {i: host.page(i + 1) for i in range(pages - 1)}
            entries |= values.pop("prp_list", {})
            for i, address in entries.items():
                address = address(host) if callable(address) else address
                at = 33 * 4096 + 8 * i
                host.pages[at : at + 8] = address.to_bytes(8, "little")
            prp2 = host.page(33)
        prp1 = values.pop("prp1", prp1) + values.pop("prp1_offset", 0)
        prp2 = values.pop("prp2", prp2) + values.pop("prp2_offset", 0)
        return prp1, prp2


@dataclass(frozen=True)
class Row:
    """One row; `id` is what pytest shows.

    wrong   the fields at fault and their values
    status  that the command has to get
    clause  of the specification that says so
    dnr     Do Not Retry; None where it may be either
    given   values of both the wrong and the right command
    right   values of the right command; None where no value makes it right
    before  sent first, and succeed
    mend    sent before the right command, and succeed
    then    commands made visible together with the wrong one, after it, and their status
    logged  whether an Error Information entry is required
    ssd     configuration of the SSD"""

    command: Command
    wrong: dict
    status: Status
    clause: str
    dnr: bool | None = True
    given: dict = field(default_factory=dict)
    right: dict | None = field(default_factory=dict)
    before: tuple = ()
    mend: tuple = ()
    then: tuple = ()
    logged: bool = True
    ssd: dict = field(default_factory=dict)
    note: str = ""

    @property
    def id(self):
        wrong = _all(self.wrong)
        return "-".join(filter(None, (self.command.name, wrong, self.note, self.status.name)))

    def check(self, host: Host):
        host.enable()
        if self.command.queue == IO or any(_for_io(step) for step in self.before):
            host.add_io_queue()
        for step in self.before:
            self._succeeds(host, step)

        errors = host.newest_error()["count"]
        wrong = self.command(**self.given | self.wrong)
        steps = [wrong, *(step for step, _ in self.then)]
        done, *others = host.send([step.dwords(host) for step in steps], self.command.queue)
        assert done.status == self.status, f"got {_name(done.status)}, {self.clause}"
        for completion, (step, status) in zip(others, self.then, strict=True):
            assert completion.status == status, f"{step} got {_name(completion.status)}"
        if self.dnr is not None:
            assert done.dnr == self.dnr, f"DNR is {done.dnr:d}"
        assert done.more == self.logged
        if self.logged:
            # What is aborted for the sake of another command's failure need not be logged.
            logged = [done, *(one for one in others if one.more)]
            self._logged(host, wrong, done, errors, len(logged))

        for step in self.mend:
            self._succeeds(host, step)
        if self.right is not None:
            self._succeeds(host, self.command(**self.given | self.right))

    def _logged(self, host, wrong, done, errors, logged):
        entry = host.newest_error()
        assert entry["count"] == errors + logged
        if logged > 1:
            return
        assert (entry["sqid"], entry["cid"]) == (done.sqid, done.cid)
        assert entry["status"] == self.status
        location = entry["location"]
        if location != 0xFFFF:  # the byte and bit of the parameter, when the SSD names one
            assert location & 0xFF in self._wrong_bytes(wrong), f"error location {location:#x}"

    @staticmethod
    def _wrong_bytes(wrong):
        """The bytes of the submission queue entry in which the wrong values lie."""
        found = set()
        for name in wrong.values:
            if name.startswith(("prp", "data", "pages")):
                found |= set(range(24, 40))
            else:
                dword, high, low = wrong.place(name)
                found |= set(range(dword * 4 + low // 8, dword * 4 + high // 8 + 1))
        return found

    @staticmethod
    def _succeeds(host, step):
        if callable(step):
            step(host)
            return
        done = host.send([step.dwords(host)], step.command.queue)[0]
        assert done.status == Status.SUCCESS, f"{step} got {_name(done.status)}"


@dataclass(frozen=True)
class Does:
    """A row that is no wrong field: what has to come about, checked by a function of the host."""

    id: str
    clause: str
    check: object
    ssd: dict = field(default_factory=dict)


def _for_io(step):
    return isinstance(step, Step) and step.command.queue == IO


def _all(values):
    return " ".join(f"{name}={_text(value)}" for name, value in values.items())


def _text(value):
    if isinstance(value, dict):
        return f"[{', '.join(map(str, value))}]"
    if isinstance(value, bytes):
        return f"{len(value)}B"
    return str(value) if isinstance(value, int) and value < 10 else f"{value:#x}"


def _name(status):
    known = Status(status).name if status in iter(Status) else "unknown"
    return f"{status >> 8:02x}/{status & 0xFF:02x} {known}"
