"""An embedded SSD with a file behind it: what was flushed outlives the process, however it ends."""

import hashlib
import signal

import pytest

import nvme as d

GEOMETRY = {"capacity": "64MiB", "latency": 0}

WRITER = """
    import os, sys
    import nvme as d

    drive = d.Ssd(file=sys.argv[1], capacity="64MiB", latency=0)
    nvme0 = d.Controller(drive)
    nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 64), d.Buffer(512)

    def write(lba, value, io_flags=0):
        buf[8:504] = bytes([value]) * 496
        nvme0n1.write(qpair, buf, lba, io_flags=io_flags).waitdone()

    for lba in range(256):
        write(lba, lba)
    nvme0n1.flush(qpair).waitdone()
    write(1000, 0x77, io_flags=0x4000)  # FUA
    for lba in range(128):
        write(lba, 255 - lba)
    print("written", flush=True)
    sys.stdin.readline()
"""


def body_of(buf):
    (value,) = set(buf[8:504])
    return value


def digest_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def smart_of(nvme0, offset):
    buf = d.Buffer(512)
    nvme0.getlogpage(2, buf, 512).waitdone()
    return buf.data(offset + 15, offset)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "media"


@pytest.fixture
def writer(system, path):
    process = system.start(WRITER, path)
    assert process.stdout.readline() == "written\n", process.stderr.read()
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


@pytest.mark.parametrize("end", ["SIGKILL", "SIGTERM", "exit"])
def test_data_outlive_the_process(writer, path, connect, end, warned):
    if end == "exit":
        writer.communicate("\n")
        assert writer.returncode == 0
    else:
        writer.send_signal(getattr(signal, end))
        writer.communicate()
        assert writer.returncode == -getattr(signal, end)
    nvme0 = connect(file=path, **GEOMETRY)
    nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 8), d.Buffer(512)
    assert nvme0n1.verify_enable()
    for lba in range(256):
        nvme0n1.read(qpair, buf, lba).waitdone()
        assert buf.data_head == lba
        if end == "exit":  # shut down properly: nothing is lost
            assert body_of(buf) == (255 - lba if lba < 128 else lba)
        elif lba < 128:  # overwritten later: one or the other, whole
            assert body_of(buf) in (lba, 255 - lba)
        else:
            assert body_of(buf) == lba
    nvme0n1.read(qpair, buf, 1000).waitdone()
    assert (buf.data_head, body_of(buf)) == (1000, 0x77)
    nvme0n1.read(qpair, buf, 2000).waitdone()
    assert buf[:] == bytes(512)
    assert warned() == []
    # A killed process took the power away from its SSD.
    assert smart_of(nvme0, 112) == 2  # power cycles
    assert smart_of(nvme0, 144) == (0 if end == "exit" else 1)  # unsafe shutdowns
    assert smart_of(nvme0, 80) == 256 + 1 + 128  # host write commands


def test_format_outlives_the_process(system, path, connect):
    code, _, err = system.script(
        """
        import sys
        import nvme as d
        nvme0 = d.Controller(f"sim:file={sys.argv[1]},capacity=64MiB,latency=0")
        nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 8)
        nvme0n1.write(qpair, d.Buffer(512), 8).waitdone()
        nvme0n1.format(4096)
        nvme0n1.write(qpair, d.Buffer(4096), 3).waitdone()
        """,
        path,
    )
    assert (code, err) == (0, "")
    nvme0 = connect(file=path, **GEOMETRY)  # lba is what it left the factory with
    nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 8), d.Buffer(4096)
    assert nvme0n1.sector_size == 4096
    assert nvme0n1.capacity == (64 << 20) // 4096
    nvme0n1.read(qpair, buf, 3).waitdone()
    assert buf.data_head == 3
    nvme0n1.read(qpair, buf, 1).waitdone()  # where LBA 8 of 512 bytes was
    assert buf[:] == bytes(4096)


def test_second_opener_is_refused(writer, path, connect):
    text = (
        f"the embedded SSD cannot use the media file {path}: another embedded SSD has it in use, "
        "in this process or in another one; close that first"
    )
    with pytest.raises(d.NvmeEnumerateError) as caught:
        d.Ssd(file=path, **GEOMETRY)
    assert str(caught.value) == text
    with pytest.raises(d.NvmeEnumerateError) as caught:
        d.Controller(f"sim:file={path},capacity=64MiB")
    assert str(caught.value).endswith(text)
    writer.communicate("\n")
    nvme0 = connect(file=path, **GEOMETRY)
    with pytest.raises(d.NvmeEnumerateError) as caught:  # in this process, too
        d.Ssd(file=path, **GEOMETRY)
    assert str(caught.value) == text
    buf = d.Buffer(512)
    d.Namespace(nvme0).read(d.Qpair(nvme0, 8), buf, 255).waitdone()
    assert body_of(buf) == 255


@pytest.mark.parametrize(
    "wrong",
    [
        {"capacity": "32MiB"},
        {"capacity": "128MiB"},
        {"capacity": "64MiB", "lba": 4096},
        {"capacity": "64MiB", "namespaces": 2},
    ],
    ids=str,
)
def test_wrong_geometry_is_refused(writer, path, wrong):
    writer.communicate("\n")
    before = digest_of(path)
    with pytest.raises(d.NvmeEnumerateError) as caught:
        d.Ssd(file=path, latency=0, **wrong)
    text = str(caught.value)
    assert f"cannot use the media file {path}: it was made for 67108864 bytes a namespace" in text
    assert "give the same capacity, namespaces and lba as then, or name another file" in text
    assert digest_of(path) == before
    options = ",".join(f"{key}={value}" for key, value in wrong.items())
    with pytest.raises(d.NvmeEnumerateError, match="it was made for 67108864 bytes"):
        d.Controller(f"sim:file={path},{options}")
    assert digest_of(path) == before
    assert sorted(path.parent.iterdir()) == [path, path.with_name(path.name + ".state")]


def test_foreign_file_is_refused(path):
    path.write_text("my thesis\n" * 1000)
    before = digest_of(path)
    with pytest.raises(d.NvmeEnumerateError, match="it is no pynvme media file; name another"):
        d.Ssd(file=path, **GEOMETRY)
    assert digest_of(path) == before


def test_path_that_cannot_be_a_file(tmp_path):
    with pytest.raises(d.NvmeEnumerateError, match="could not be opened: Is a directory"):
        d.Ssd(file=tmp_path, **GEOMETRY)
    with pytest.raises(d.NvmeEnumerateError, match="could not be opened: No such file"):
        d.Ssd(file=tmp_path / "missing" / "media", **GEOMETRY)
