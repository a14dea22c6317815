"""The pytest plugin, in pytest runs of its own."""

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
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["E *AddressError: *nonsense*"])


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
