# Embedded SSDs made by scripts: one's keyword arguments become the configuration text that
# "sim:..." addresses use, so that there is one parser.
"""Ssd."""

from collections.abc import Mapping

from nvme import _core
from nvme.cmdlog import trace_of
from nvme.errors import ArgumentError
from nvme.faults import Fault, action_text, match_text
from nvme.ioworker import DotDict


def _free_address() -> str:
    taken = {name.removeprefix("0000:") for name in _core.bus_names()}
    for bus in range(0xF0, 0x100):
        for device in range(32):
            address = f"{bus:02x}:{device:02x}.0"
            if address not in taken:
                return address
    raise ArgumentError("no free address is left on the virtual bus, f0:00.0 to ff:1f.0")


class Ssd(_core.Ssd):
    """An embedded SSD, plugged in at a PCI address of the virtual bus.

    Args:
        addr: where, for example "01:00.0"; a free address is chosen when it is left out
        config: what it is like, by the keys of a "sim:key=value,..." address, for example
            capacity="1GB", lba=4096, queues=4, mqes=63, mdts=65536, latency=0, model="my drive".
            Several namespaces: namespaces=2 shares the capacity out evenly; nsformats="512+4096"
            says bytes of an LBA for each, nssizes="1GB+512MB" how large each is, and what is left
            can be had by Namespace Management. lbaformats="512+4096" are the LBA formats,
            powerstates=3 is how many power states there are. trace=1000 keeps the last 1000 events
            of the SSD for trace().

    The data live as long as the object or something that has it open (or in a file:
    file="/tmp/ssd"). Pcie(ssd) and Controller(ssd) open it, and so does its address.

    >>> import nvme as d
    >>> ssd = d.Ssd(capacity="1GB", lba=4096, latency=0)
    >>> nvme0 = d.Controller(ssd)
    >>> d.Namespace(nvme0).sector_size
    4096
    >>> nvme0.close()
    """

    def __init__(self, addr: str | bytes | None = None, **config: object) -> None:
        text = addr.decode() if isinstance(addr, bytes) else addr
        for key, value in config.items():
            if "," in str(value):
                raise ArgumentError(f"{key} = {value!r} must not hold a comma")
        options = ",".join(f"{key}={value}" for key, value in config.items())
        super().__init__(text or _free_address(), options)

    def trace(self, count: int = 0) -> list[DotDict]:
        """What the SSD saw and did, oldest first: its side of every command.

        Returns a dict for each event, whose keys are attributes too: sequence, time_us, event,
        text, and by the kind of event those that help(nvme.cmdlog) lists. The SSD keeps as many of
        its last events as its key `trace` says, plugged in or not.

        Args:
            count: the newest events; 0: all that are kept

        Raises:
            ArgumentError: it was made without the key `trace`

        >>> import nvme as d
        >>> ssd = d.Ssd(capacity="1GiB", latency=0, trace=1000)
        >>> nvme0 = d.Controller(ssd)
        >>> n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 16), d.Buffer(4096)
        >>> n1.write(qpair, buf, lba=8, lba_count=8).waitdone()
        0
        >>> [event.event for event in ssd.trace(6)]
        ['tail doorbell', 'fetched', 'data', 'posted', 'interrupt', 'head doorbell']
        >>> data = ssd.trace(4)[0]
        >>> data.address == buf.phys_addr, data.length, data.direction
        (True, 4096, 'from host')
        >>> nvme0.close()
        """
        return [DotDict(event) for event in trace_of(self.addr, _core.ssd_trace(self, count))]

    def fault(
        self,
        match: Mapping[str, object] | str | None = None,
        action: Mapping[str, object] | str = "",
    ) -> Fault:
        """Plant a fault: from now on the SSD does something wrong to the commands that match.

        The page about faults has all keys and all actions. Several faults on one command act in
        the order in which they were planted; resets and power cycles do not take them away.

        Args:
            match: which commands, and how often: a dict with opcode, queue, nsid, cid, lba, nth,
                after, count, chance, seed, or the same as text, "read,lba=8-15,count=1". None:
                those that the action is for
            action: what happens then: its name, "drop", or with its keys as text, "flip:bits=2", or
                as a dict, {"kind": "flip", "bits": 2}

        Raises:
            ArgumentError: there is no such key or action, a value is not possible, or the action
                is not for these commands

        >>> import nvme as d
        >>> ssd = d.Ssd(capacity="1GiB", latency=0)
        >>> nvme0 = d.Controller(ssd)
        >>> n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 16), d.Buffer(4096)
        >>> fault = ssd.fault({"opcode": "read", "lba": range(8, 16), "nth": 2}, "flip:bits=3")
        >>> for _ in range(2):
        ...     _ = n1.read(qpair, buf, lba=8, lba_count=8).waitdone()
        >>> fault.matched, fault.fired, fault.armed
        (2, 1, False)
        >>> sum(int(byte).bit_count() for byte in buf[:])
        3
        >>> nvme0.close()
        """
        return Fault(self, _core.ssd_plant_fault(self, match_text(match), action_text(action)))

    def faults(self) -> list[Fault]:
        """The faults that are planted, oldest first, those that are over included.

        >>> import nvme as d
        >>> ssd = d.Ssd(capacity="1GiB")
        >>> fault = ssd.fault("write,seed=1", "drop")
        >>> ssd.faults()
        [<Fault 1: drop at write,seed=1; matched 0, fired 0>]
        >>> ssd.unplug()
        """
        return [Fault(self, number) for number in _core.ssd_faults(self)]

    def clear_faults(self) -> None:
        """Take all faults away.

        >>> import nvme as d
        >>> ssd = d.Ssd(capacity="1GiB")
        >>> fault = ssd.fault("write", "drop")
        >>> ssd.clear_faults()
        >>> ssd.faults(), fault.armed
        ([], False)
        >>> ssd.unplug()
        """
        _core.ssd_clear_faults(self)
