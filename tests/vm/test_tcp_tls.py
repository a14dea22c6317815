# TLS 1.3 with a pre-shared key between pynvme and Linux, in both roles: Debian 13's kernel, whose
# handshakes tlshd (ktls-utils) does with GnuTLS, and whose keys nvme-cli derives. Keys of SHA-384
# are left out: tlshd 1.0 offers them with a binder of SHA-256, which goes with no suite of NVMe.
"""NVMe/TCP with TLS: Linux's host on our target, our host on Linux's target."""

import hashlib
import textwrap

import pytest
from guests import KERNEL_6_12, Guest, Hardware, Tree, UnavailableError

import nvme as d
from nvme.target import Target

TOOLS = Tree("tls-tools", ["keyutils", "ktls-utils", "nvme-cli"], suites=("trixie",))
HOST = "nqn.2024-01.org.example:host"
NQN = "nqn.2024-01.org.example:linux"
OURS = "nqn.2024-01.org.example:ours"
DISCOVERY = "nqn.2014-08.org.nvmexpress.discovery"
# As `nvme gen-tls-key` makes them.
KEY = "NVMeTLSkey-1:01:paWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWFL193:"
OTHER = "NVMeTLSkey-1:02:paWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlTaNE9w==:"
# How nvme-cli calls it: with a digest, as newer ones do, and without.
VERSIONS = [1, 0]
MODULES = ("configfs", "null_blk", "nvme-tcp", "nvmet", "nvmet-tcp", "tls")
CONFIG = "/sys/kernel/config"
TIMEOUT_S = 120

TARGET = f"""
    mountpoint -q {CONFIG} || mount -t configfs none {CONFIG}
    n={CONFIG}/nullb/a; mkdir $n; echo 64 > $n/size; echo 1 > $n/memory_backed; echo 1 > $n/power
    s={CONFIG}/nvmet/subsystems/{NQN}; mkdir $s; echo 1 > $s/attr_allow_any_host
    mkdir $s/namespaces/1; echo /dev/a > $s/namespaces/1/device_path
    echo 1 > $s/namespaces/1/enable
    p={CONFIG}/nvmet/ports/1; mkdir $p
    echo tcp > $p/addr_trtype; echo ipv4 > $p/addr_adrfam; echo 0.0.0.0 > $p/addr_traddr
    echo 4420 > $p/addr_trsvcid; echo tls1.3 > $p/addr_tsas; echo required > $p/addr_treq
    ln -s $s $p/subsystems/{NQN}
"""


@pytest.fixture(scope="module")
def linux():
    try:
        tools = TOOLS.wrappers()
    except UnavailableError as error:
        pytest.skip(f"no tlshd of Debian 13: {error}")
    with Guest(
        load=MODULES,
        forwards=[4420],
        append="nvme_core.multipath=N",
        hardware=Hardware(iommu=None),
        kernel=KERNEL_6_12,
    ) as guest:
        (guest.share / "tlshd.conf").write_text("[authenticate]\nkeyrings=.nvme\n")
        guest.start_command(f"{tools}/tlshd --stderr --config {guest.share}/tlshd.conf")
        guest.run(textwrap.dedent(TARGET))
        guest.nvme = f"{tools}/nvme"
        guest.keyctl = f"{tools}/keyctl"
        yield guest


def has_key(linux, key, version, *subsystems):
    """Linux has this key under names of this version, and no other key."""
    lines = [f"{linux.keyctl} clear %:.nvme"]
    lines += [
        f"{linux.nvme} check-tls-key --keydata={key} --identity={version} --insert "
        f"--hostnqn={HOST} --subsysnqn={nqn}"
        for nqn in subsystems
    ]
    linux.run(" &&\n".join(lines), timeout_s=TIMEOUT_S)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_linux_host_on_our_target(linux, version):
    has_key(linux, KEY, version, OURS, DISCOVERY)
    with Target("sim:capacity=64MiB,latency=0", nqn=OURS, tls_key=KEY) as target:
        at = f"-t tcp -a 10.0.2.2 -s {target.port} --hostnqn={HOST} --tls"
        found = linux.run(f"{linux.nvme} discover {at}", timeout_s=TIMEOUT_S).output
        assert f"subnqn:  {OURS}" in found
        assert "sectype: tls13" in found
        assert "treq:    required" in found
        linux.run(
            f"{linux.nvme} connect {at} -n {OURS} --nr-io-queues=2 --hdr-digest && "
            "until test -b /dev/nvme0n1; do sleep 0.1; done && "
            "dd if=/dev/urandom of=/tmp/data bs=64k count=64 status=none && "
            "dd if=/tmp/data of=/dev/nvme0n1 bs=512k oflag=direct conv=fsync status=none && "
            "dd if=/dev/nvme0n1 bs=128k count=32 iflag=direct status=none | cmp - /tmp/data && "
            f"{linux.nvme} disconnect -n {OURS}",
            timeout_s=TIMEOUT_S,
        )


def test_a_linux_host_with_another_key(linux):
    has_key(linux, OTHER, 1, OURS)
    with Target("sim:capacity=64MiB", nqn=OURS, tls_key=KEY) as target:
        at = f"-t tcp -a 10.0.2.2 -s {target.port} --hostnqn={HOST} --tls"
        done = linux.run(f"{linux.nvme} connect {at} -n {OURS}", timeout_s=TIMEOUT_S, check=False)
        assert done.returncode != 0
        assert target.controllers == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_our_host_on_the_linux_target(linux, version):
    has_key(linux, KEY, version, NQN)
    address = f"127.0.0.1:{linux.port(4420)};nqn={NQN};hostnqn={HOST};ddgst=1;kato=15000"
    nvme0 = d.Controller(f"{address};answer_ms=30000;tls_key={KEY}")
    nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 16)
    out, back = d.Buffer(65536, ptype=0xBEEF, pvalue=100), d.Buffer(65536)
    nvme0n1.write(qpair, out, 64, 128).waitdone()
    nvme0n1.read(qpair, back, 64, 128).waitdone()
    assert back[:] == out[:]
    seen = linux.run(
        "dd if=/dev/a iflag=direct bs=32k skip=1 count=2 status=none | sha256sum"
    ).output.split()[0]
    assert seen == hashlib.sha256(bytes(out[:])).hexdigest()
    nvme0n1.verify_enable(True)
    result = nvme0n1.ioworker(
        io_size=[1, 8, 40], read_percentage=60, io_count=400, qdepth=16, region_end=4096
    ).start().close()  # fmt: skip
    assert result.error == 0
    qpair.delete()
    nvme0.close()


def test_our_host_with_another_key(linux):
    has_key(linux, OTHER, 1, NQN)
    address = f"127.0.0.1:{linux.port(4420)};nqn={NQN};hostnqn={HOST};answer_ms=30000"
    with pytest.raises(d.NvmeEnumerateError, match="TLS") as error:
        d.Controller(f"{address};tls_key={KEY}")
    assert "paWl" not in str(error.value)
