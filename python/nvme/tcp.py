# The fabric's counterpart of Pcie: a target by address and port, for Controller().
"""Tcp."""

from __future__ import annotations

from nvme import _core
from nvme.address import address_text
from nvme.arguments import integer

_DEFAULT_PORT = 4420


class Tcp(_core.Pcie):
    """An NVMe/TCP target, for `Controller(tcp)`.

    Args:
        addr: an IPv4 or IPv6 address, str or bytes, with options behind it if any:
            "10.24.48.17", "::1", "127.0.0.1;nqn=nqn.2024-01.org:ssd;hdgst=1"
        port: 1 to 65535, for an address that has none itself
        dhchap_secret: the host's secret for DH-HMAC-CHAP ("DHHC-1:00:...:"), for targets that ask
            for authentication
        dhchap_ctrl_secret: the controller's, for one that shall prove itself too
        tls_key: connect with TLS 1.3 and this pre-shared key ("NVMeTLSkey-1:01:...:"), or the one
            in the file of this name

    Nothing is sent before a Controller is made of it. What belongs to PCIe (registers of the
    configuration space, BAR memory, resets of the function) raises ArgumentError.

    >>> import nvme as d
    >>> tcp = d.Tcp("127.0.0.1", 4420)
    >>> tcp.addr
    '127.0.0.1:4420'
    >>> tcp.close()
    """

    def __init__(
        self,
        addr: str | bytes,
        port: int = _DEFAULT_PORT,
        *,
        dhchap_secret: str | None = None,
        dhchap_ctrl_secret: str | None = None,
        tls_key: str | None = None,
    ) -> None:
        port = integer("port", port, 1, 65535)
        host, semicolon, options = address_text(addr).strip().partition(";")
        if host.count(":") > 1 and not host.startswith("["):
            host = f"[{host}]"
        if ":" not in host.rpartition("]")[2]:
            host = f"{host}:{port}"
        keys = {
            "dhchap_secret": dhchap_secret,
            "dhchap_ctrl_secret": dhchap_ctrl_secret,
            "tls_key": tls_key,
        }
        given = [f"{key}={value}" for key, value in keys.items() if value is not None]
        options = ";".join(([options] if options else []) + given)
        semicolon = ";" if options else semicolon
        super().__init__(host + semicolon + options)
