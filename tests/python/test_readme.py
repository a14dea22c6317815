"""What the README shows, runs."""

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[2] / "README.md"


def test_first_script(tmp_path):
    (script,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    (tmp_path / "first_test.py").write_text(script)
    devices = re.findall(r"--dut (\S+)", README.read_text())
    assert devices
    for options in ([], *(["--dut", device] for device in devices)):
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-s", "first_test.py", *options],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        assert "2 passed" in run.stdout
        assert re.search(r"[1-9]\d* K IOPS, \d+ us on average", run.stdout)
