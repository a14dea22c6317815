"""The scripts that users copy from, run as users run them."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parents[2] / "scripts").glob("*_test.py"))
LIMIT_S = 300


@pytest.mark.parametrize("options", ["capacity=8GB", "capacity=8GB,lba=4096,latency=0"])
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_script(script, options, tmp_path):
    if script.name == "demo_test.py" and "latency" in options:
        pytest.skip("ten seconds of load, once is enough")
    done = subprocess.run(
        [sys.executable, "-m", "nvme.cli", "test", str(script), "-p", "no:cacheprovider",
         f"--dut=sim:{options}", "--report", str(tmp_path / "report.html")],
        capture_output=True, text=True, timeout=LIMIT_S, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert " skipped" not in done.stdout
    (log,) = tmp_path.glob("test_sim*.log")
    assert "FAILED" not in log.read_text()
