"""Miscompare forensics: what a wrong read turned out to be, its report, files and warning."""

import json
import re
import subprocess
import sys
import textwrap
import warnings

import pytest

import nvme as d

LBA_BYTES = 512
KEYS = {
    "schema", "time", "time_us", "device", "nsid", "queue", "cid", "opcode", "command", "slba",
    "nlb", "lba_bytes", "lba", "bad_lbas", "classification", "certain", "text", "expected_state",
    "expected_crc", "got_crc", "found_write", "expected_write", "flips", "flipped_bits",
    "boundary_byte", "boundary_lba", "head_is_new", "shift", "expected_from", "next_step", "got",
    "expected", "old", "commands",
}  # fmt: skip


@pytest.fixture(autouse=True)
def files(tmp_path):
    before = d.forensics.directory()
    d.forensics.set_directory(tmp_path / "reports")
    d.forensics.clear()
    yield tmp_path / "reports"
    d.forensics.set_directory(before)


class Dut:
    def __init__(self, **keys):
        self.ssd = d.Ssd(capacity="64MiB", latency=0, namespaces=2, **keys)
        self.nvme0 = d.Controller(self.ssd)
        self.ns = d.Namespace(self.nvme0)
        self.size = self.ns.sector_size
        assert self.ns.verify_enable()
        self.qpair = d.Qpair(self.nvme0, 16)

    def write(self, lba, count=8, ns=None):
        buf = d.Buffer(self.size * count, ptype=0xBEEF, pvalue=100)
        (ns or self.ns).write(self.qpair, buf, lba, count).waitdone()
        return buf

    def read(self, lba, count=8):
        """The report of this read, and the text of its warning."""
        before = len(d.forensics.reports())
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            self.ns.read(self.qpair, d.Buffer(self.size * count), lba, count).waitdone()
        assert len(d.forensics.reports()) == before + 1, [str(w.message) for w in caught]
        return d.forensics.last(), str(caught[0].message)


@pytest.fixture(params=[512, 4096])
def dut(request):
    made = Dut(lba=request.param)
    yield made
    made.nvme0.close()
    made.ssd.unplug()


def test_bit_flips(dut):
    written = dut.write(0x20)
    at = 3 * dut.size + 100
    dut.ssd.fault("read,lba=35,count=1", "flip:bit=800")
    report, text = dut.read(0x20)
    assert report.classification == "bit_flips"
    assert (report.lba, report.bad_lbas) == (0x23, [0x23])
    assert report.flips == [(100, 1)]
    assert report.flipped_bits == 1
    assert report.certain
    assert report.expected[100] == written[at] == report.got[100] ^ 1
    assert report.expected_write["token"] == written.data(4 * dut.size - 1, 4 * dut.size - 8)
    # Device, queue, CID, LBA, classification, the file and what to do next.
    assert text.startswith("ERROR status: 07/81: LBA 0x23: the data are not what was written last")
    assert "bit_flips: 1 bit flipped: byte 100 bit 0" in text
    device = dut.nvme0.addr
    assert f"[{device}, namespace 1, queue {dut.qpair.sqid}, CID {report.cid}]" in text
    assert str(report.page_path) in text
    assert text.endswith("next: " + report.next_step)
    assert report.cid == dut.qpair.latest_cid


def test_stale_after_a_dropped_write(dut):
    old = dut.write(0x20)
    dut.ssd.fault("write,lba=32,count=1", "drop")
    new = dut.write(0x20)
    report, text = dut.read(0x20)
    assert report.classification == "stale"
    assert report.lba == 0x20
    assert report.bad_lbas == list(range(0x20, 0x28))
    assert report.found_write["token"] == old.data(dut.size - 1, dut.size - 8)
    assert report.expected_write["token"] == new.data(dut.size - 1, dut.size - 8)
    assert report.expected_write["time_us"] > report.found_write["time_us"]
    assert report.found_write["nlb"] == 8
    assert report.got == bytes(old[: dut.size])
    assert report.expected == bytes(new[: dut.size])
    assert "; stale: the data of the write with token" in text
    # The two writes and the read, of all that touched the LBA.
    assert [c["command"] for c in report.commands] == ["Write", "Write", "Read"]


def test_a_dropped_first_write_is_zeroes(dut):
    dut.ssd.fault("write,lba=32,count=1", "drop")
    dut.write(0x20)
    report, _ = dut.read(0x20)
    assert report.classification == "zeroes"
    assert report.found_write is None


def test_misdirected_read_and_write(dut):
    elsewhere = dut.write(0x100)
    dut.write(0x20)
    dut.ssd.fault("read,lba=32,count=1", "misdirect:to=256")
    report, text = dut.read(0x20)
    assert report.classification == "misdirected"
    assert (report.lba, report.found_write["lba"]) == (0x20, 0x100)
    assert report.found_write["token"] == elsewhere.data(dut.size - 1, dut.size - 8)
    assert "misdirected: the data of LBA 0x100" in text
    assert {c["fields"]["slba"] for c in report.commands} == {0x20, 0x100}

    dut.ssd.fault("write,lba=32,count=1", "misdirect:to=256")
    dut.write(0x20)
    assert dut.read(0x20)[0].classification == "stale"
    report, _ = dut.read(0x100)
    assert report.classification == "misdirected"
    assert (report.lba, report.found_write["lba"]) == (0x100, 0x20)


def test_another_namespace(dut):
    other = d.Namespace(dut.nvme0, 2)
    dut.write(0x20, ns=other)
    dut.write(0x20)
    dut.ssd.fault("read,nsid=1,lba=32,count=1", "other_namespace")
    report, text = dut.read(0x20)
    assert report.classification == "other_namespace"
    assert (report.found_write["nsid"], report.found_write["lba"]) == (2, 0x20)
    assert "the data of namespace 2" in text


def test_torn_between_lbas(dut):
    old = dut.write(0x20)
    dut.ssd.fault("write,lba=32,count=1", "tear:first=3")
    dut.write(0x20)
    report, text = dut.read(0x20)
    assert report.classification == "torn"
    assert (report.lba, report.boundary_lba, report.head_is_new) == (0x23, 0x23, True)
    assert report.bad_lbas == list(range(0x23, 0x28))
    assert report.found_write["token"] == old.data(4 * dut.size - 1, 4 * dut.size - 8)
    assert "torn at LBA 0x23: new before, old from there on" in text


@pytest.mark.parametrize(("action", "head_is_new"), [("first_bytes", True), ("last_bytes", False)])
def test_torn_within_an_lba(dut, action, head_is_new):
    dut.write(0x20, 1)
    dut.ssd.fault("write,lba=32,count=1", f"tear:{action}=128")
    dut.write(0x20, 1)
    report, text = dut.read(0x20, 1)
    assert report.classification == "torn"
    assert report.boundary_byte == (128 if head_is_new else dut.size - 128)
    assert report.head_is_new is head_is_new
    assert f"torn at byte {report.boundary_byte} of the LBA" in text


def test_zeroes_and_stale_from_the_device(dut):
    dut.write(0x20)
    fault = dut.ssd.fault("read,lba=32-33,count=1", "zeroes")
    assert dut.read(0x20)[0].classification == "zeroes"
    assert fault.fired == 1
    dut.ssd.fault("read,lba=33,count=1", "stale")
    dut.write(0x20)
    report, _ = dut.read(0x20)
    assert (report.classification, report.lba) == ("stale", 0x21)


def test_compare(dut):
    old = dut.write(0x20)
    new = dut.write(0x20)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        dut.ns.compare(dut.qpair, new, 0x20, 8).waitdone()
        assert caught == []
        dut.ns.compare(dut.qpair, old, 0x20, 8).waitdone()
        assert [str(w.message) for w in caught] == ["ERROR status: 02/85"], "as it should be"
        assert d.forensics.last() is None
        caught.clear()
        dut.ssd.fault("write,lba=36,count=1", "drop")
        newest = dut.write(0x20)
        dut.ns.compare(dut.qpair, newest, 0x20, 8).waitdone()
        (refused,) = [str(w.message) for w in caught]
        assert refused.startswith("ERROR status: 02/85: LBA 0x20: Compare found a difference, but")
        assert d.forensics.last().classification == "compare_refused"
        caught.clear()
        dut.ns.compare(dut.qpair, new, 0x20, 8).waitdone()
        (accepted,) = [str(w.message) for w in caught]
        assert accepted.startswith("ERROR status: 07/81: LBA 0x20: Compare found no difference")
        assert d.forensics.last().classification == "stale"


def test_a_raw_write(dut):
    raw = d.Buffer(dut.size, ptype=32, pvalue=0x11223344)
    dut.ns.send_cmd(1, dut.qpair, raw, cdw10=0x20).waitdone()
    report, text = dut.read(0x20, 1)
    assert report.classification == "unstamped"
    assert "; unstamped: as written last, but by a raw write" in text


def test_an_ioworker_says_the_same(dut):
    fill = {"io_size": 8, "lba_random": False, "read_percentage": 0, "region_end": 2048}
    assert dut.ns.ioworker(**fill).start().close().error == 0
    assert dut.ns.ioworker(**fill).start().close().error == 0
    fault = dut.ssd.fault("read,lba=1234", "flip:where=media,bits=3")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = dut.ns.ioworker(io_size=8, region_end=2048, io_count=1_000_000).start().close()
    assert result.error == -6
    assert fault.fired
    report = d.forensics.last()
    assert (report.classification, report.lba, report.flipped_bits) == ("bit_flips", 1234, 3)
    assert report.expected_write["writer"].startswith("IOWorker on queue ")
    text = str(caught[0].message)
    assert text.startswith("ioworker device respond an ERROR status: 07/81: Read (opcode 02h), ")
    assert "bit_flips: 3 bits flipped" in text
    assert str(report.page_path) in text


def test_stale_data_of_an_ioworker(dut):
    fill = {"io_size": 8, "lba_random": False, "read_percentage": 0, "region_end": 2048}
    assert dut.ns.ioworker(**fill).start().close().error == 0
    dut.ssd.fault("write,lba=1000", "drop")
    assert dut.ns.ioworker(**fill).start().close().error == 0
    report, _ = dut.read(1000)
    assert (report.classification, report.lba) == ("stale", 1000)
    assert report.found_write["cid"] is not None
    writes = [c for c in report.commands if c["command"] == "Write"]
    assert [c["cid"] for c in writes] == [
        report.found_write["cid"],
        report.expected_write["cid"],
    ]


def test_files(dut, files):
    dut.write(0x20)
    dut.ssd.fault("write,lba=32,count=1", "drop")
    dut.write(0x20)
    report, _ = dut.read(0x20)
    assert report.json_path.parent == report.page_path.parent == files
    artefact = json.loads(report.json_path.read_text())
    assert set(artefact) == KEYS
    assert artefact["schema"] == "pynvme-miscompare-1"
    assert artefact["classification"] == "stale"
    assert bytes.fromhex(artefact["got"]) == report.got
    assert bytes.fromhex(artefact["expected"]) == report.expected
    assert artefact["commands"][-1]["fields"]["slba"] == 0x20
    assert report.json_path.stat().st_size < 200_000
    page = report.page_path.read_text()
    assert page.startswith("<!doctype html>")
    assert not re.search(r"https?://", page)  # needs nothing from elsewhere
    assert "What to do next" in page
    assert report.page_path.stat().st_size < 1_000_000


def test_text_is_escaped_and_files_may_fail(dut, tmp_path):
    (tmp_path / "file").write_text("")
    d.forensics.set_directory(tmp_path / "file" / "below")
    dut.write(0x20)
    dut.ssd.fault("read,lba=32,count=1", "zeroes")
    report, text = dut.read(0x20)
    assert report.json_path is None
    assert report.page_path is None
    assert "; zeroes instead of" in text


def test_reports_are_kept_in_order_and_bounded(dut):
    dut.write(0x20)
    dut.ssd.fault("read,lba=32", "zeroes")
    dut.ssd.fault("read,lba=33", "flip:bit=5")
    first, _ = dut.read(0x20, 1)
    second, _ = dut.read(0x21, 1)
    assert d.forensics.reports() == [first, second]
    assert d.forensics.last() is second
    d.forensics.clear()
    assert d.forensics.last() is None


def test_the_plugin_lists_them(tmp_path):
    (tmp_path / "test_it.py").write_text(
        textwrap.dedent(
            """
        import nvme as d

        def test_it():
            ssd = d.Ssd(capacity="64MiB", latency=0)
            nvme0 = d.Controller(ssd)
            ns, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 16), d.Buffer(512)
            ns.verify_enable()
            ns.write(qpair, buf, 5).waitdone()
            ssd.fault("read,lba=5,count=1", "flip:bit=800")
            ns.read(qpair, buf, 5).waitdone()
            assert d.forensics.last() is None
        """
        )
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "--miscompare-dir",
        "found",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "pynvme: miscompares" in done.stdout, done.stdout
    assert "LBA 0x5: 1 bit flipped: byte 100 bit 0" in done.stdout
    (page,) = (tmp_path / "found").glob("*.html")
    assert f"found/{page.name}" in done.stdout
    assert len(list((tmp_path / "found").glob("*.json"))) == 1
