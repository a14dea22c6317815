"""The pytest plugin, in pytest runs of its own."""

import os
import signal
import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]


@pytest.fixture
def run(pytester):
    def run_pytest(*arguments):
        return pytester.run(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments)

    return run_pytest


def test_a_project_that_does_not_use_it_is_left_alone(pytester, run):
    pytester.makepyfile(
        """
        import random, sys

        random.seed(5)
        VALUE = random.random()
        random.seed(5)

        def test_nothing_is_loaded():
            assert "nvme._core" not in sys.modules
            assert "matplotlib" not in sys.modules
            assert random.random() == VALUE
        """
    )
    run("-v").assert_outcomes(passed=1)


def test_fixtures_and_seed(pytester, run):
    pytester.makepyfile(
        """
        import random
        import nvme as d

        def test_all(pciaddr, buf, pcie, nvme0, nvme0n1, qpair, subsystem, verify, aer, request):
            assert pciaddr == "sim:capacity=1GiB,latency=0"
            assert len(buf) == 4096
            assert nvme0n1.capacity == (1 << 30) // 512
            assert qpair.sqid == 1
            assert verify is True
            assert request.node.rep_setup.passed
            print("RANDOM", random.random())

        def test_again(nvme0, request):
            assert nvme0[0x1c] & 1
        """
    )
    options = ("--pciaddr=sim:capacity=1GiB,latency=0", "--seed=0x1234", "-rP")
    first = run(*options, "--log-cli-level=INFO")
    first.assert_outcomes(passed=2)
    first.stdout.fnmatch_lines(["*seed 0x00001234, replay with --seed 0x00001234*"])
    first.stdout.fnmatch_lines(["*test duration: * sec*"])
    again = run(*options)

    def random_lines(result):
        return [line for line in result.outlines if line.startswith("RANDOM")]

    assert random_lines(first)[0] == random_lines(again)[0]


def test_seed_of_a_failing_test_is_shown(pytester, run):
    pytester.makepyfile("def test_fails(nvme0): assert 0")
    result = run("--dut", "sim", "--dut", "01:00.0")
    result.assert_outcomes(failed=1)
    result.stdout.re_match_lines([r".*seed 0x[0-9a-f]{8}; replay with --seed 0x[0-9a-f]{8}"])


def test_wrong_address_is_a_clear_error(pytester, run):
    pytester.makepyfile("def test_it(nvme0): pass")
    result = run("--pciaddr=nonsense")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --dut: *nonsense*"])


def test_a_failing_test_does_not_keep_the_device(pytester, run):
    pytester.makepyfile(
        """
        def test_first(nvme0, qpair):
            kept = (nvme0, qpair)
            assert 0

        def test_second(nvme0, qpair):
            assert qpair.sqid == 1
        """
    )
    run().assert_outcomes(failed=1, passed=1)


def test_rep_attributes(pytester, run):
    pytester.makeconftest(
        """
        import pytest

        @pytest.fixture(autouse=True)
        def look(request):
            yield
            print("REP", request.node.rep_setup.passed, request.node.rep_call.failed)
        """
    )
    pytester.makepyfile("def test_it(buf): assert 0")
    run().stdout.fnmatch_lines(["*REP True True*"])


def test_command_line_runs_scripts(pytester):
    pytester.makepyfile("def test_fails(nvme0): assert nvme0[0x1c] & 1 == 0")
    result = pytester.run(sys.executable, "-m", "nvme.cli", "test", "--dut=sim", "-q")
    assert result.ret == 1
    result.assert_outcomes(failed=1)
    assert pytester.run(sys.executable, "-m", "nvme.cli", "--help").ret == 0
    assert pytester.run(sys.executable, "-m", "nvme.cli", "nonsense").ret == 2


def test_report(pytester, run):
    pytester.makepyfile(
        """
        from nvme.report import Report, Workload

        def test_it(pytestconfig):
            report = Report("title", {"model": "a & b"})
            report.add_step("first", "done")
            report.add_workload(
                Workload("reads", 2000, 1000, 4096, 10.0, 20, 0, {50: 9.5}, [1000, 1000], [0, 2000])
            )
            assert report.workloads[0].iops == 2000
            report.save(pytestconfig.getoption("nvme_report"))
        """
    )
    result = run("--report=folder/report.html")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*reads*2,000*2,000*8.2*", "HTML report: *report.html"])
    html = (pytester.path / "folder" / "report.html").read_text()
    assert html.count("<svg") == 2
    assert "a &amp; b" in html
    assert not any(attribute in html for attribute in ('src="http', 'href="http', "<script"))


def test_the_whole_log_goes_to_a_file(pytester, run):
    pytester.makepyfile(
        """
        import logging, warnings

        def test_first(nvme0):
            logging.debug("a detail of the script")
            warnings.warn("something is odd")

        def test_second(nvme0):
            assert nvme0[0x1c] == 0x1234
        """
    )
    dut = "sim:capacity=1GiB,latency=0"
    result = run(f"--dut={dut}")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["log of this run: test_sim_capacity_1GiB_latency_0.log"])
    assert "a detail of the script" not in result.stdout.str()
    log = (pytester.path / "test_sim_capacity_1GiB_latency_0.log").read_text()
    for part in (
        "a detail of the script",
        "something is odd",
        "seed 0x",
        "test duration: ",
        "PASSED test_the_whole_log_goes_to_a_file.py::test_first (",
        "FAILED test_the_whole_log_goes_to_a_file.py::test_second (",
        "assert 1 == 4660",
        "--- pynvme: last commands of sim:capacity=1GiB,latency=0 ---",
    ):
        assert part in log, part
    run(f"--dut={dut}", "-k", "first")  # of one run, not of all
    log = (pytester.path / "test_sim_capacity_1GiB_latency_0.log").read_text()
    assert "test_second" not in log


def test_no_log_file_where_no_device_is_tested(pytester, run):
    pytester.makepyfile("def test_it(): pass")
    run().assert_outcomes(passed=1)
    assert list(pytester.path.glob("*.log")) == []


def test_a_folder_that_takes_no_file(pytester, run):
    pytester.makepyfile("def test_it(nvme0): pass")
    (pytester.path / "test_sim.log").mkdir()
    result = run()
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*no log file of this run: *"])


def test_a_failing_test_shows_the_last_commands(pytester, run):
    pytester.makepyfile(
        """
        import nvme as d

        def test_before(nvme0, nvme0n1, qpair, buf):
            nvme0n1.read(qpair, buf, 0x777, 1).waitdone()

        def test_two_queues(nvme0, nvme0n1, qpair, buf):
            other = d.Qpair(nvme0, 8)
            for i in range(20):
                nvme0n1.read(qpair, buf, 0x100 + i, 1).waitdone()
            nvme0n1.write(other, buf, 0x200, 8).waitdone()
            nvme0n1.ioworker(io_size=16, io_count=2).start().close()
            assert 0

        def test_in_a_callback(nvme0, nvme0n1, qpair, buf):
            def cb(cdw0, status1):
                assert cdw0 == 1
            nvme0n1.read(qpair, buf, 0x300, 1, cb=cb).waitdone()
            assert 0
        """
    )
    result = run("--dut=sim:capacity=1GiB,latency=0")
    result.assert_outcomes(passed=1, failed=2, warnings=1)
    result.stdout.re_match_lines(
        [
            r"-+ pynvme: last commands of sim:capacity=1GiB,latency=0 -+",
            *[rf"[\d:.]+ Read .* slba:{0x100 + i:#x} nlb:1 .*us\)" for i in range(12, 20)],
            r"[\d:.]+ Write .* slba:0x200 nlb:8 .*us\)",
            r"[\d:.]+ Read .* nlb:16 .*us\)",
        ]
    )
    text = result.stdout.str()
    assert "slba:0x10b nlb:1 " not in text
    assert "slba:0x777 nlb:1 " not in text
    assert "slba:0x300 nlb:1 " in text


@pytest.mark.parametrize(
    ("body", "arguments", "status"),
    [
        ("assert 1", (), 0),
        ("assert 0", (), 1),
        ("raise KeyboardInterrupt", (), 2),
        ("assert 1", ("--no-such-option",), 4),
        ("assert 1", ("no_such_file.py",), 4),
        ("assert 1", ("--dut=nonsense",), 4),
        ("assert 1", ("-k", "nothing"), 5),
        # A signal that a sanitizer's run time leaves alone.
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", (), 137),
    ],
)
def test_exit_code_of_the_launcher(pytester, body, arguments, status):
    pytester.makepyfile(f"def test_it(nvme0):\n    {body}")
    result = pytester.run(sys.executable, "-m", "nvme.cli", "test", "-p", "no:cacheprovider",
                          *arguments)  # fmt: skip
    assert result.ret == status


def test_the_launcher_shows_each_test_with_its_duration(pytester):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("lba", [0, 8])
        def test_read(nvme0n1, qpair, buf, lba):
            nvme0n1.read(qpair, buf, lba).waitdone()

        def test_fails(nvme0):
            assert 0
        """
    )
    launcher = (sys.executable, "-m", "nvme.cli", "test", "-p", "no:cacheprovider")
    result = pytester.run(*launcher, "--junitxml=result.xml")
    assert result.ret == 1
    result.stdout.re_match_lines(
        [
            r".*::test_read\[0\] PASSED \d+\.\d\d s .*",
            r".*::test_read\[8\] PASSED \d+\.\d\d s .*",
            r".*::test_fails FAILED \d+\.\d\d s .*",
        ]
    )
    xml = (pytester.path / "result.xml").read_text()
    assert 'tests="3"' in xml
    assert 'failures="1"' in xml
    assert 'name="test_read[8]"' in xml
    assert xml.count('<property name="seed" value="0x') == 3
    assert pytester.run(*launcher, "-k", "read and 8").ret == 0
    collected = pytester.run(*launcher, "--collect-only", "-q")
    collected.stdout.fnmatch_lines(
        ["*::test_read?0?", "*::test_read?8?", "*::test_fails"], consecutive=True
    )


def test_ctrl_c_stops_the_workers_and_sums_up(pytester):
    """Both processes get it, as from a terminal; the launcher waits for what pytest has to say."""
    pytester.makepyfile(
        """
        def test_long(nvme0n1):
            with nvme0n1.ioworker(io_size=8, time=900), nvme0n1.ioworker(io_size=8, time=900):
                print("RUNNING", flush=True)
        """
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "nvme.cli", "test", "-s", "-p", "no:cacheprovider"],
        stdout=subprocess.PIPE, text=True, cwd=pytester.path, start_new_session=True,
    )  # fmt: skip
    lines = iter(process.stdout.readline, "")
    assert any("RUNNING" in line for line in lines)
    os.killpg(process.pid, signal.SIGINT)
    rest, _ = process.communicate(timeout=300)
    assert process.returncode == pytest.ExitCode.INTERRUPTED
    assert "KeyboardInterrupt" in rest
    assert "log of this run: test_sim.log" in rest
