# What the examples of the seed documents expect around them: the drives at their addresses,
# stand-ins for what a test machine has not got, and short durations. All of it comes from
# outside, so that the text of the examples stays as it is.
import importlib.util
import sys
import time
import types
from pathlib import Path

import pytest

import nvme
from nvme.target import Target

# Seconds of the examples take this part of a second, and paced IOWorkers pace themselves faster by
# as much. Those that count IOs per second keep their time: the number of seconds is what they
# check.
TIME_SCALE = 1 / 40
# An IOWorker that would go through the whole drive, or fill 10 GB of it, does this much.
MAX_BYTES = 128 << 20

ADDRESSES = ("01:00.0", "03:00.0", "3d:00.0")


@pytest.fixture(scope="module", autouse=True)
def virtual_bus():
    """A drive at each address that the examples open by name."""
    drives = [
        nvme.Ssd(address, capacity="64GB", serial=f"SEED{number:04}", seed=number)
        for number, address in enumerate(ADDRESSES)
    ]
    yield drives
    for drive in drives:
        drive.unplug()


@pytest.fixture(scope="module")
def served():
    """An NVMe/TCP target at each address that the examples open; a remote one is on loopback."""
    targets = []
    try:
        for number, address in enumerate(("127.0.0.1:4420", "127.0.0.2:0")):
            options = f"sim:capacity=1GiB,serial=SEEDTCP{number}"
            targets.append(Target(options, address))
    except RuntimeError as error:
        pytest.skip(f"another program has the port of the examples: {error}")
    else:
        yield targets
    finally:
        for target in targets:
            target.close()


@pytest.fixture
def tcp_targets(served, monkeypatch):
    """The targets, where 10.24.48.17 leads to the second one."""
    controller = nvme.Controller

    def opened(address, *rest, **options):
        return controller(
            {b"10.24.48.17": served[1].address}.get(address, address), *rest, **options
        )

    monkeypatch.setattr(nvme, "Controller", opened)
    return served


@pytest.fixture(scope="module")
def pciaddr(virtual_bus):
    """The fixtures open the drive of most examples."""
    return ADDRESSES[0]


@pytest.fixture(autouse=True)
def short_durations(monkeypatch):
    """time.sleep() and ioworker(time=...) on a scaled clock, endless IOWorkers with an end."""
    sleep = time.sleep
    ioworker = nvme.Namespace.ioworker

    def short_ioworker(self, **arguments):
        lba_bytes = self.sector_size
        if arguments.get("output_io_per_second") is None:
            if "time" in arguments:
                arguments["time"] *= TIME_SCALE
            if "iops" in arguments:
                arguments["iops"] = round(arguments["iops"] / TIME_SCALE)
        first = max(arguments.get("region_start", 0), arguments.get("lba_start", 0))
        last = first + MAX_BYTES // lba_bytes
        arguments["region_end"] = min(arguments.get("region_end", last), last)
        io_size = arguments.get("io_size", 8)
        if arguments.get("io_count") and isinstance(io_size, int):
            most = MAX_BYTES // (io_size * lba_bytes)
            arguments["io_count"] = min(arguments["io_count"], most)
        return ioworker(self, **arguments)

    monkeypatch.setattr(time, "sleep", lambda seconds: sleep(seconds * TIME_SCALE))
    monkeypatch.setattr(nvme.Namespace, "ioworker", short_ioworker)


def module_of(name, **attributes):
    module = types.ModuleType(name)
    vars(module).update(attributes)
    return module


# Imported where examples are: when the tests are collected.
if importlib.util.find_spec("pytemperature") is None:
    sys.modules["pytemperature"] = module_of("pytemperature", k2c=lambda kelvin: kelvin - 273.15)


@pytest.fixture
def sg(monkeypatch, request):
    """For PySimpleGUI: a progress meter that opens no window, and remembers what it was shown."""
    shown = []

    def meter(title, current, maximum, *rest, **options):
        assert 0 <= current <= maximum
        shown.append(current)

    module = module_of("PySimpleGUI", OneLineProgressMeter=meter, shown=shown)
    monkeypatch.setattr(request.module, "sg", module, raising=False)
    return module


@pytest.fixture
def quarchpy(monkeypatch):
    """For the library of a power module: takes the commands that the module would get."""
    commands = []

    class Device:
        def __init__(self, port):
            self.port = port

        def sendCommand(self, command):
            commands.append(command)

        def closeConnection(self):
            pass

    module = module_of("quarchpy", quarchDevice=Device, commands=commands)
    monkeypatch.setitem(sys.modules, "quarchpy", module)
    return module


@pytest.fixture
def firmware_image(tmp_path, monkeypatch):
    """The file that the downfw() examples name, from the folder they run in."""
    path = Path("path/to/firmware_image_file")
    monkeypatch.chdir(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes(range(256)) * 256)
    return path
