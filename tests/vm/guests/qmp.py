"""QEMU's monitor: commands and their answers as JSON over a socket."""

from __future__ import annotations

import json
import socket
import time
from typing import Any


class QmpError(Exception):
    """A command of the monitor failed, or QEMU is gone."""


class Qmp:
    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._rest = b""
        self.events: list[dict[str, Any]] = []  # all that came, oldest first

    def start(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        self._message(deadline)  # the greeting
        self.command("qmp_capabilities")

    def command(self, command: str, timeout_s: float = 30, **arguments: Any) -> Any:
        """Sends a command (with _ for -) and returns what it returns."""
        request = {"execute": command, "arguments": arguments}
        try:
            self._socket.sendall(json.dumps(request).encode())
        except OSError as error:
            raise QmpError(f"{command}: QEMU is gone ({error})") from error
        deadline = time.monotonic() + timeout_s
        while True:
            message = self._message(deadline)
            if "event" in message:
                self.events.append(message)
            elif "error" in message:
                raise QmpError(f"{command} {arguments}: {message['error']['desc']}")
            elif "return" in message:
                return message["return"]

    def wait_event(self, name: str, timeout_s: float = 30, **data: Any) -> dict[str, Any]:
        """Waits for an event whose data has the given fields, and takes it off `events`."""
        deadline = time.monotonic() + timeout_s
        while True:
            for event in self.events:
                fields = event.get("data", {})
                if event["event"] == name and data.items() <= fields.items():
                    self.events.remove(event)
                    return event
            message = self._message(deadline)
            if "event" in message:
                self.events.append(message)

    def _message(self, deadline: float) -> dict[str, Any]:
        while b"\n" not in self._rest:
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                raise QmpError("QEMU's monitor does not answer") from None
            except OSError as error:
                raise QmpError(f"QEMU is gone ({error})") from error
            if not data:
                raise QmpError("QEMU is gone")
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message
