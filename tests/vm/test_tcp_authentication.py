"""DH-HMAC-CHAP with the Linux kernel's host and target, of a kernel that has it."""

import textwrap
import time

import pytest
from guests import KERNEL_6_12, Guest, Hardware, UnavailableError

import nvme as d
from nvme.target import Target

NQN = "nqn.2024-01.org.example:linux"
HOST = "nqn.2024-01.org.example:host"
CONFIG = "/sys/kernel/config/nvmet"
SECRET = "DHHC-1:00:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh+KfiaR:"
CTRL_SECRET = "DHHC-1:02:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vcSEgBQ==:"
WRONG = "DHHC-1:00:AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8ge/xg:"
HASHES = ["sha256", "sha384", "sha512"]
GROUPS = ["null", "ffdhe2048", "ffdhe3072", "ffdhe4096", "ffdhe6144", "ffdhe8192"]
TIMEOUT_S = 120

SETUP = f"""
    set -e; modprobe null_blk nr_devices=0
    mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
    n=/sys/kernel/config/nullb/a; mkdir $n
    echo 64 > $n/size; echo 512 > $n/blocksize; echo 1 > $n/memory_backed; echo 1 > $n/power
    s={CONFIG}/subsystems/{NQN}; mkdir $s
    echo 0 > $s/attr_allow_any_host
    mkdir $s/namespaces/1; echo /dev/a > $s/namespaces/1/device_path
    echo 1 > $s/namespaces/1/enable
    p={CONFIG}/ports/1; mkdir $p
    echo tcp > $p/addr_trtype; echo ipv4 > $p/addr_adrfam; echo 0.0.0.0 > $p/addr_traddr
    echo 4420 > $p/addr_trsvcid
    ln -s $s $p/subsystems/{NQN}
"""


@pytest.fixture(scope="module")
def linux():
    try:
        KERNEL_6_12.make()
    except UnavailableError as error:
        pytest.skip(f"no kernel with authentication on this machine: {error}")
    hardware = Hardware(memory_mb=1024, iommu=None)
    modules = ("configfs", "nvmet", "nvmet-tcp", "nvme-tcp")
    with Guest(
        load=modules, forwards=[4420], kernel=KERNEL_6_12, hardware=hardware,
        append="nvme_core.multipath=N",
    ) as guest:  # fmt: skip
        guest.run(textwrap.dedent(SETUP))
        yield guest


# --- our host on Linux' target --------------------------------------------------------------------


def expect(linux, key=SECRET, ctrl="", hash_name="sha256", group="null"):
    """What Linux' target asks of our host from the next connection on."""
    keys = {
        "dhchap_key": key,
        "dhchap_ctrl_key": ctrl,  # which cannot be taken away: the host is made anew
        "dhchap_hash": f"hmac({hash_name})",
        "dhchap_dhgroup": group,
    }
    allowed = f"{CONFIG}/subsystems/{NQN}/allowed_hosts/{HOST}"
    lines = [f"echo '{text}' > {name}" for name, text in keys.items() if text]
    linux.run(
        f"set -e; cd {CONFIG}/hosts; rm -f {allowed}; test ! -d {HOST} || rmdir {HOST}\n"
        + "\n".join([f"mkdir {HOST}; cd {HOST}", *lines, f"ln -s $PWD {allowed}"])
    )


def on_linux(linux, secret=SECRET, ctrl=""):
    address = f"127.0.0.1:{linux.port(4420)};nqn={NQN};hostnqn={HOST};dhchap_secret={secret}"
    return d.Controller(address + (f";dhchap_ctrl_secret={ctrl}" if ctrl else ""))


def read_and_write(nvme0):
    nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 8)
    out, back = d.Buffer(4096, ptype=0xBEEF, pvalue=100), d.Buffer(4096)
    nvme0n1.write(qpair, out, 0, 8).waitdone()
    nvme0n1.read(qpair, back, 0, 8).waitdone()
    assert back[:] == out[:]
    qpair.delete()


@pytest.mark.parametrize("group", GROUPS)
def test_linux_lets_our_host_in(linux, group):
    hash_name = HASHES[GROUPS.index(group) % len(HASHES)]
    expect(linux, ctrl=CTRL_SECRET, hash_name=hash_name, group=group)
    nvme0 = on_linux(linux, ctrl=CTRL_SECRET)
    read_and_write(nvme0)
    nvme0.close()


def test_linux_lets_our_host_in_one_way(linux):
    expect(linux, key=CTRL_SECRET, hash_name="sha384")
    nvme0 = on_linux(linux, secret=CTRL_SECRET)
    nvme0.close()


def test_linux_refuses_a_wrong_secret(linux):
    expect(linux, ctrl=CTRL_SECRET)
    with pytest.raises(d.NvmeEnumerateError, match="authentication failed"):
        on_linux(linux, secret=WRONG)
    with pytest.raises(d.NvmeEnumerateError, match="dhchap_ctrl_secret"):
        on_linux(linux, ctrl=WRONG)
    on_linux(linux, ctrl=CTRL_SECRET).close()


# --- Linux' host on our target --------------------------------------------------------------------


def connect(linux, target, secret=SECRET, ctrl="", check=True):
    keys = f"--dhchap-secret='{secret}'" + (f" --dhchap-ctrl-secret='{ctrl}'" if ctrl else "")
    return linux.run(
        f"nvme connect -t tcp -a 10.0.2.2 -s {target.port} -n {target.nqn} --hostnqn={HOST} "
        f"--nr-io-queues=1 {keys}",
        timeout_s=TIMEOUT_S, check=check,
    )  # fmt: skip


def use(linux, target):
    """A block of the namespace, and the end of the connection."""
    linux.run(
        f"""
        cd /sys/class/nvme; name=$(grep -l {target.nqn} */subsysnqn | cut -d/ -f1)
        until test -b /dev/${{name}}n1; do sleep 0.1; done
        head -c 4096 /dev/urandom > /tmp/out
        dd if=/tmp/out of=/dev/${{name}}n1 bs=4096 oflag=direct status=none
        dd if=/dev/${{name}}n1 bs=4096 count=1 iflag=direct status=none | cmp - /tmp/out
        nvme disconnect -n {target.nqn}
        """,
        timeout_s=TIMEOUT_S,
    )


@pytest.mark.parametrize(
    ("hash_name", "group"),
    [("sha256", "null"), ("sha384", "ffdhe2048"), ("sha512", "ffdhe8192")],
)
def test_our_target_lets_linux_in(linux, hash_name, group):
    keys = {HOST: (SECRET, CTRL_SECRET)}
    with Target(
        "sim:capacity=64MiB", dhchap=keys, dhchap_hash=hash_name, dhchap_group=group
    ) as ssd:
        connect(linux, ssd, ctrl=CTRL_SECRET)
        use(linux, ssd)


def test_our_target_refuses_a_wrong_secret(linux):
    with Target("sim:capacity=64MiB", dhchap={HOST: (SECRET, CTRL_SECRET)}) as target:
        assert connect(linux, target, WRONG, check=False).returncode != 0
        assert connect(linux, target, ctrl=WRONG, check=False).returncode != 0
        end = time.monotonic() + TIMEOUT_S
        while target.controllers != 0:  # the end comes by way of QEMU
            assert time.monotonic() < end
            time.sleep(0.01)
        connect(linux, target)
        use(linux, target)
