# What scripts name a device with. The one parser of the text is in C++ (src/pcie/address.h).
"""Addresses of devices under test."""

from typing import TYPE_CHECKING

from nvme.errors import AddressError

if TYPE_CHECKING:
    from nvme.ssd import Ssd


def address_text(address: "str | bytes | Ssd") -> str:
    """The text of an address given as str, bytes or Ssd."""
    if isinstance(address, bytes):
        return address.decode("utf-8", "replace")
    if isinstance(address, str):
        return address
    text = getattr(address, "addr", None)
    if isinstance(text, str):
        return text
    raise AddressError(
        f"{address!r} names no device: give an address such as 'sim' or '01:00.0' (str or bytes), "
        "a Pcie or an Ssd"
    )
