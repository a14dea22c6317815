"""Names that people give to a drive by mistake: nothing is taken for something else."""

import pytest

from nvme import cli
from nvme.host import commands


@pytest.fixture
def run(machine, monkeypatch, capsys):
    """run("setup", "nvme0"): (exit code, stderr)."""
    monkeypatch.setattr(commands, "_tree", lambda: machine)

    def call(*words):
        before = machine.files()
        code = cli.main(list(words))
        assert machine.files() == before
        return code, capsys.readouterr().err

    return call


@pytest.mark.parametrize("command", ["setup", "reset", "info"])
@pytest.mark.parametrize("name", ["nvme0", "/dev/nvme0", "/dev/nvme0n1p2", "nvme0n1", "/dev/ng0n1"])
def test_the_kernels_names(machine, run, command, name):
    machine.drive("0000:01:00.0")
    code, text = run(command, name)
    assert (code, f"{name} is the kernel's name" in text) == (2, True)
    assert "PCI address: 0000:01:00.0" in text


@pytest.mark.parametrize("command", ["setup", "reset", "info"])
def test_a_node_of_something_else(run, command):
    """No socket of a vfio-user server, which needs no setup."""
    code, text = run(command, "/dev/sda")
    assert (code, "kernel's name" in text) == (2, True)
    assert "`./pynvme info` lists the drives" in text


@pytest.mark.parametrize("command", ["setup", "reset", "info"])
@pytest.mark.parametrize("name", ["", " "])
def test_no_name_at_all(run, command, name):
    """A variable of a shell script that is not set."""
    code, text = run(command, name)
    assert (code, "the name of the device is empty" in text) == (2, True)
