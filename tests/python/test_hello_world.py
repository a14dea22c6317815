"""The first example of the documents, unmodified: plain pytest, no conftest.py, no options."""

import os
import subprocess
import sys
import textwrap

SCRIPT = """
   import pytest
   import nvme as d

   def test_hello_world(nvme0, nvme0n1, qpair):
       # prepare data buffer and IO queue
       read_buf = d.Buffer(nvme0, 512)
       write_buf = d.Buffer(nvme0, 512)
       write_buf[10:21] = b'hello world'
   
       # send write and read command
       def write_cb(cdw0, status1):  # command callback function
           nvme0n1.read(qpair, read_buf, 0, 1)
       nvme0n1.write(qpair, write_buf, 0, 1, cb=write_cb)
   
       # wait commands complete and verify data
       assert read_buf[10:21] != b'hello world'
       qpair.waitdone(2)
       assert read_buf[10:21] == b'hello world'
"""  # noqa: W293


def test_hello_world(tmp_path):
    (tmp_path / "test_hello.py").write_text(textwrap.dedent(SCRIPT))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 passed" in result.stdout
