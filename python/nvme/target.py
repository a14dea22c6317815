# The embedded SSD as an NVMe/TCP target in this process, served by a native thread of its own: for
# scripts that test hosts. `pynvme serve --tcp` is the same in a process of its own.
"""Target, an NVMe/TCP target."""

from __future__ import annotations

import atexit
import weakref
from collections.abc import Iterable, Mapping
from types import TracebackType

from nvme import _core, wire_faults
from nvme.errors import ArgumentError
from nvme.faults import Fault, action_text, match_text

_PDUS = {"ICResp": 1, "C2HTermReq": 3, "CapsuleResp": 5, "C2HData": 7, "R2T": 9}
_PORT = 4420
_CPDA_MAX = 31
_open: weakref.WeakSet[Target] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for target in list(_open):
        target.close()


def split_address(address: str) -> tuple[str, int]:
    """Address and port of "127.0.0.1", "127.0.0.1:4420", "[::1]:4420"; the port may be 0."""
    host, port = address, ""
    if address.startswith("["):
        host, bracket, rest = address[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ArgumentError(f"{address!r} is no address: [IPV6]:PORT is one")
        port = rest[1:]
    elif address.count(":") == 1:
        host, _, port = address.partition(":")
    if port and not (port.isdecimal() and int(port) <= 0xFFFF):
        raise ArgumentError(f"{address!r} has no port from 0 to 65535")
    return host or "127.0.0.1", int(port) if port else _PORT


class TargetSsd:
    """The SSD behind a Target: what it is to do wrong, as with an Ssd."""

    def __init__(self, target: _core.Target) -> None:
        self._target = target

    def fault(
        self,
        match: Mapping[str, object] | str | None = None,
        action: Mapping[str, object] | str = "",
    ) -> Fault:
        """Plant a fault: from now on the SSD does something wrong to the commands that match.

        Matches and actions are those of Ssd.fault(). Queue identifiers are those of every host.
        What only a PCI function can do raises ArgumentError: "phase", "dma", "mistag" of SQID or SQ
        head. "vanish" ends all connections, and nobody can connect until the fault is cleared.
        """
        return Fault(
            self._target,
            _core.ssd_plant_fault(self._target, match_text(match), action_text(action)),
        )

    def faults(self) -> list[Fault]:
        """The faults that are planted, oldest first, those that are over included."""
        return [Fault(self._target, number) for number in _core.ssd_faults(self._target)]

    def clear_faults(self) -> None:
        """Take all faults away."""
        _core.ssd_clear_faults(self._target)


class Target:
    """An NVMe/TCP target: the embedded SSD as a subsystem with discovery.

    It serves any number of hosts at once, each with controllers of its own, until close().

    Args:
        ssd: the SSD, "sim" or "sim:key=value,..."; file=PATH keeps its data
        address: where it listens: "127.0.0.1", "127.0.0.1:4420", "[::1]:0"; port 0 is any that
            is free, and only loopback is open to this machine alone
        nqn: of the subsystem; made from the serial number when it is left out
        hosts: NQNs of hosts that may connect; when it is empty all may, or those in `dhchap`
        dhchap: hosts that have to authenticate by DH-HMAC-CHAP: {host's NQN: secret}, or
            {host's NQN: (secret, controller's secret)} for hosts that ask the controller to prove
            itself; a secret is "DHHC-1:00:...:"
        dhchap_hash, dhchap_group: what is chosen where the host has it: "sha256", "sha384",
            "sha512"; "null", "ffdhe2048" to "ffdhe8192"
        advertise: "ADDRESS:PORT" or "[IPV6]:PORT" that the Discovery log names; where the host has
            connected to, when it is left out
        in_capsule: bytes of data in an I/O queue's command capsules
        max_h2c_data: bytes of one H2CData PDU (MAXH2CDATA)
        max_c2h_data: bytes of one C2HData PDU; 0: all data of a command in one
        max_r2t_data: bytes that one R2T asks for; 0: all data of a command
        cpda: alignment of data in the host's PDUs, 0's based, in dwords
        header_digest, data_digest: whether hosts that ask for one get it
        connect_timeout: seconds a connection has until Connect has succeeded
        stall_timeout: seconds a host may leave its data unread
        term_timeout: seconds a host has to close after C2HTermReq
        spin_us: how long its thread looks for work before it sleeps
        tls_key: hosts must connect with TLS 1.3 and this key ("NVMeTLSkey-1:01:...:"), or the one
            in the file of this name

    >>> import nvme as d
    >>> from nvme.target import Target
    >>> with Target("sim:capacity=1GiB,latency=0", "127.0.0.1:0") as target:
    ...     target.connections
    0
    """

    def __init__(
        self,
        ssd: str = "sim",
        address: str = "127.0.0.1:0",
        *,
        nqn: str = "",
        hosts: Iterable[str] = (),
        dhchap: Mapping[str, str | tuple[str, str]] | None = None,
        dhchap_hash: str = "sha256",
        dhchap_group: str = "ffdhe2048",
        advertise: str = "",
        in_capsule: int = 8192,
        max_h2c_data: int = 128 << 10,
        max_c2h_data: int = 0,
        max_r2t_data: int = 0,
        cpda: int = 0,
        header_digest: bool = True,
        data_digest: bool = True,
        connect_timeout: float = 10.0,
        stall_timeout: float = 30.0,
        term_timeout: float = 30.0,
        spin_us: int = 50,
        tls_key: str | None = None,
    ) -> None:
        for name, number in (
            ("in_capsule", in_capsule), ("max_h2c_data", max_h2c_data),
            ("max_c2h_data", max_c2h_data), ("max_r2t_data", max_r2t_data), ("cpda", cpda),
            ("spin_us", spin_us),
        ):  # fmt: skip
            if not 0 <= number <= 0xFFFFFFFF:
                raise ArgumentError(f"{name} = {number} is not in 0..4294967295")
        if cpda > _CPDA_MAX:
            raise ArgumentError(f"cpda = {cpda} is not in 0..{_CPDA_MAX}")
        options = _core.TargetOptions()
        options.address, options.port = split_address(address)
        options.nqn = nqn
        options.hosts = list(hosts)
        options.advertise = advertise
        options.in_capsule_bytes = in_capsule
        options.h2c_bytes_max = max_h2c_data
        options.c2h_bytes_max = max_c2h_data
        options.r2t_bytes_max = max_r2t_data
        options.cpda = cpda
        options.header_digest = header_digest
        options.data_digest = data_digest
        options.connect_timeout_ms = round(connect_timeout * 1000)
        options.stall_timeout_ms = round(stall_timeout * 1000)
        options.term_timeout_ms = round(term_timeout * 1000)
        options.spin_us = spin_us
        self._host = options.address
        try:
            options.set_dhchap_preference(dhchap_hash, dhchap_group)
            for hostnqn, secrets in (dhchap or {}).items():
                pair = (secrets, "") if isinstance(secrets, str) else secrets
                options.add_dhchap(hostnqn, *pair)
            if tls_key is not None:
                options.set_tls_key(tls_key)
            self._target = _core.Target(_ssd_options(ssd), options)
        except ValueError as error:
            raise ArgumentError(str(error)) from None
        _open.add(self)

    @property
    def address(self) -> str:
        """Where it listens, as Controller() takes it: "127.0.0.1:4420"."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{host}:{self.port}"

    @property
    def port(self) -> int:
        """The TCP port."""
        return self._target.port

    @property
    def nqn(self) -> str:
        """The subsystem's NQN."""
        return self._target.nqn

    @property
    def ssd(self) -> TargetSsd:
        """Its SSD, for faults of commands: `target.ssd.fault("read,lba=8", "flip")`."""
        return TargetSsd(self._target)

    @property
    def connections(self) -> int:
        """Connections that are open now."""
        return int(self._target.counts()["connections"])

    @property
    def controllers(self) -> int:
        """Controllers, Discovery controllers included, that hosts are associated with now."""
        return int(self._target.counts()["controllers"])

    @property
    def accepted(self) -> int:
        """Connections that there ever were."""
        return int(self._target.counts()["accepted"])

    def fault(
        self,
        action: str,
        pdu: str | None = None,
        *,
        queue: int | None = None,
        skip: int = 0,
        count: int = 1,
        delay: float = 0.0,
    ) -> None:
        """Spoil PDUs that it sends from now on.

        Args:
            action: "corrupt header" or "corrupt data" (a byte, after its digest was computed),
                "truncate" (half of the PDU, then the end of the connection), "oversize" (PLEN says
                more than there is), "duplicate", "drop", "swap" (after the PDU that follows),
                "delay", "half-open" (neither this PDU nor anything more, the connection stays),
                "reset" (of the connection, instead of the PDU), "stop reading" (it is sent, and
                the host is not listened to any more)
            pdu: "ICResp", "CapsuleResp", "C2HData", "R2T" or "C2HTermReq"; any when left out
            queue: of this queue identifier, on any connection; of any when left out
            skip: PDUs that match and pass before
            count: PDUs that it befalls
            delay: seconds, for "delay"
        """
        wire_faults.add(self._target.add_fault, _PDUS, action, pdu, queue, skip, count, delay)

    @property
    def faults(self) -> int:
        """PDUs that are still to be spoilt."""
        return int(self._target.counts()["faults"])

    def clear_faults(self) -> None:
        """Spoil no more PDUs."""
        self._target.clear_faults()

    def close(self) -> None:
        """Close every connection and stop; what was written is kept if the SSD has a file."""
        self._target.close()

    def __enter__(self) -> Target:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _ssd_options(ssd: str) -> str:
    if ssd != "sim" and not ssd.startswith("sim:"):
        raise ArgumentError(f"{ssd} cannot be served: only embedded SSDs can (sim:...)")
    return ssd.removeprefix("sim").removeprefix(":")
