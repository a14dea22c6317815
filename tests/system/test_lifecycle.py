"""Objects that go in any order, scripts that are interrupted, devices that lose power under load:
nothing hangs, nothing crashes, and the device has no queue left of it."""

import gc
import itertools
import signal
import subprocess
import time

import pytest

import nvme as d

# Longer than anything here takes, shorter than what it must not wait for.
BOUND_S = 20
MANY_LIMIT_S = 300  # for a dozen of interpreters; less than one that waits for its IOWorker

OBJECTS = ("buf", "qpair", "nvme0n1", "nvme0", "pcie")
ORDERS = list(itertools.permutations(OBJECTS))


def make_objects(drive):
    """Whatever a script has, with commands under way."""
    pcie = d.Pcie(drive)
    nvme0 = d.Controller(pcie)
    nvme0n1 = d.Namespace(nvme0)
    qpair = d.Qpair(nvme0, 256)
    buf = d.Buffer(4096)
    finished = []
    # All on one die of the model, one after the other.
    for _ in range(200):
        nvme0n1.read(qpair, buf, 0, 8, cb=lambda cdw0, status1: finished.append((buf, status1)))
    nvme0.getfeatures(7, cb=lambda cdw0, status1: finished.append((nvme0, status1)))
    return {
        "buf": buf,
        "qpair": qpair,
        "nvme0n1": nvme0n1,
        "nvme0": nvme0,
        "pcie": pcie,
    }, finished


def test_deletion_in_every_order(system):
    drive = d.Ssd(capacity="1GiB", latency=20)
    for order in ORDERS:
        objects, finished = make_objects(drive)
        keeper = d.Controller(objects["pcie"], nvme_init_func=True)
        generation = keeper[0x14]
        for name in order:
            del objects[name]
        gc.collect()
        # The device was not reset, and the queue is gone all the same.
        assert keeper[0x14] == generation, order
        assert finished == [], order
        assert d.Qpair(keeper, 2).sqid == 1, order
        del keeper
        gc.collect()
    last = d.Controller(drive)  # it is not open any more
    system.assert_clean(last)
    last.close()
    drive.unplug()


@pytest.mark.parametrize("end", ["last reference", "delete", "reset"])
def test_queues_are_gone_from_a_device_in_use(connect, system, end):
    """16 queues with commands under way."""
    nvme0 = connect(latency=20)
    nvme0n1, buf = d.Namespace(nvme0), d.Buffer(4096)
    qpairs = [d.Qpair(nvme0, 64) for _ in range(16)]
    for qpair in qpairs:
        for _ in range(63):
            nvme0n1.read(qpair, buf, 0, 8)
    if end == "last reference":
        del qpairs, qpair
        gc.collect()
    elif end == "delete":
        for qpair in qpairs:
            qpair.delete()
    else:
        nvme0.reset()
    system.assert_clean(nvme0)


EXIT = """
    import itertools, os, sys
    import nvme as d

    def run(order, dropped):
        names = globals()
        drive = d.Ssd(capacity="1GiB", latency=20)
        made = {}
        made["pcie"] = d.Pcie(drive)
        made["nvme0"] = d.Controller(made["pcie"])
        made["nvme0n1"] = d.Namespace(made["nvme0"])
        made["qpair"] = d.Qpair(made["nvme0"], 64)
        made["buf"] = d.Buffer(4096)
        made["worker"] = made["nvme0n1"].ioworker(io_size=8, time=600).start()
        made["aer"] = made["nvme0"].aer(cb=lambda cdw0, status1: made)
        for _ in range(63):
            made["nvme0n1"].read(made["qpair"], made["buf"], 0, 8, cb=lambda cpl: made["nvme0"])
        if len(order) % 2 == 0:
            made["drive"] = drive
        for name in order:
            names[name] = made[name]
        for name in order[:dropped]:
            del names[name]
        if order[0] != "buf":
            made.clear()

    orders = list(itertools.permutations(("buf", "qpair", "nvme0n1", "nvme0", "pcie", "worker")))
    first, last = int(sys.argv[1]), int(sys.argv[2])
    for number in range(first, last):
        child = os.fork()
        if child == 0:
            run(orders[number * 7 % 720], number % 7)
            sys.exit(3)
        _, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) != 3:
            print(number, orders[number * 7 % 720], status)
"""


@pytest.mark.parametrize("part", range(4))
def test_exit_of_the_interpreter_in_any_order(system, part):
    """With the objects still there, some or all of them deleted, callbacks that hold on to them."""
    code, out, err = system.script(EXIT, part * 15, part * 15 + 15, timeout=MANY_LIMIT_S)
    assert (code, out, err) == (0, "", "")


def test_exit_with_an_exception(system):
    code, out, err = system.script(
        """
        import nvme as d
        nvme0 = d.Controller("sim:latency=20")
        nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 64), d.Buffer(4096)
        for _ in range(63):
            nvme0n1.read(qpair, buf, 0, 8)
        workers = [nvme0n1.ioworker(io_size=8, time=60).start() for _ in range(4)]
        raise LookupError("the script is wrong")
        """
    )
    assert code == 1
    assert out == ""
    assert err.endswith("LookupError: the script is wrong\n")
    assert err.count("Traceback") == 1


# --- Ctrl-C ---------------------------------------------------------------------------------------

AFTER_CTRL_C = """
    import linecache, os, signal, sys, threading, time, warnings
    import nvme as d

    warnings.simplefilter("ignore")
    drive = d.Ssd(capacity="1GiB", latency=200)  # a read takes about 10 ms
    nvme0 = d.Controller(drive)
    nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 1024), d.Buffer(4096)

    def press_ctrl_c_in(function, line=""):
        main = threading.main_thread().ident

        def is_there():
            frame = sys._current_frames()[main]
            text = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
            return frame.f_code.co_name == function and line in text

        def press():
            while not is_there():
                time.sleep(0.001)
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=press, daemon=True).start()

    def is_clean():
        qpairs = [d.Qpair(nvme0, 8) for _ in range(16)]
        assert [q.sqid for q in qpairs] == list(range(1, 17))
        assert nvme0n1.read(qpairs[0], buf, 1 << 20, 8).waitdone() == 0

    began = time.monotonic()
    try:
        {body}
    except KeyboardInterrupt:
        took = time.monotonic() - began
    else:
        sys.exit("not interrupted")
    qpair.delete()
    is_clean()
    print("clean", took < {bound})
"""

BODIES = {
    "waitdone": """
        def inside(cdw0, status1):
            os.kill(os.getpid(), signal.SIGINT)

        nvme0n1.read(qpair, buf, 1 << 20, cb=inside)  # of another die: the first to complete
        for _ in range(1000):
            nvme0n1.read(qpair, buf, 0, 8)
        qpair.waitdone(1001)
    """,
    "waitdone_later": """
        def inside(cdw0, status1):
            press_ctrl_c_in("wait")

        def wait():
            qpair.waitdone(1001)

        nvme0n1.read(qpair, buf, 1 << 20, cb=inside)
        for _ in range(1000):
            nvme0n1.read(qpair, buf, 0, 8)
        wait()
    """,
    "ioworker_close": """
        worker = nvme0n1.ioworker(io_size=8, time=60).start()
        press_ctrl_c_in("close", "ioworker_wait_result")
        worker.close()
    """,
    "with_ioworker": """
        press_ctrl_c_in("close", "ioworker_wait_result")
        with nvme0n1.ioworker(io_size=8, time=60), nvme0n1.ioworker(io_size=8, time=60):
            pass
    """,
    "with_body": """
        press_ctrl_c_in("body")

        def body():
            while True:
                time.sleep(0.01)

        with nvme0n1.ioworker(io_size=8, time=60), nvme0n1.ioworker(io_size=8, time=60):
            body()
    """,
}


@pytest.mark.parametrize("where", BODIES)
def test_ctrl_c(system, where):
    body = BODIES[where].strip().replace("\n", "\n    ").replace("\n            ", "\n        ")
    text = AFTER_CTRL_C.replace("{body}", body).replace("{bound}", str(BOUND_S))
    code, out, err = system.script(text)
    assert (code, out) == (0, "clean True\n"), err


@pytest.mark.parametrize("end", ["worker.close()", "qpair.waitdone(1000)"])
def test_ctrl_c_ends_a_script_that_does_not_care(system, end):
    """As the shell sends it, from outside: a traceback and the exit code of a SIGINT, soon."""
    process = system.start(
        f"""
        import nvme as d
        drive = d.Ssd(capacity="1GiB", latency=200)
        nvme0 = d.Controller(drive)
        nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 1024), d.Buffer(4096)
        for _ in range(1000):
            nvme0n1.read(qpair, buf, 0, 8)
        worker = nvme0n1.ioworker(io_size=8, time=60).start()
        print("running")
        {end}
        """
    )
    assert process.stdout.readline() == "running\n"
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    try:
        _, err = process.communicate(timeout=BOUND_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    assert time.monotonic() - began < BOUND_S
    assert process.returncode == -signal.SIGINT
    assert err.rstrip().endswith("KeyboardInterrupt")


# --- IOWorkers ------------------------------------------------------------------------------------


def test_script_that_raises_inside_with(nvme0, nvme0n1, system):
    began = time.monotonic()
    with (  # noqa: PT012
        pytest.raises(ZeroDivisionError),
        nvme0n1.ioworker(io_size=8, time=60) as first,
        nvme0n1.ioworker(io_size=8, read_percentage=0, time=60) as second,
    ):
        assert first.running
        assert second.running
        raise ZeroDivisionError
    assert time.monotonic() - began < BOUND_S
    assert not first.running
    assert not second.running
    assert first.close().error == 0
    system.assert_clean(nvme0)


def test_script_that_raises_with_slow_commands_under_way(connect, system):
    nvme0 = connect(latency=100)
    nvme0n1 = d.Namespace(nvme0)
    began = time.monotonic()
    with pytest.raises(KeyError), nvme0n1.ioworker(io_size=8, time=60):
        raise KeyError
    assert time.monotonic() - began < BOUND_S
    system.assert_clean(nvme0)


def test_nested_with(nvme0, nvme0n1, system):
    with nvme0n1.ioworker(io_size=8, io_count=1000) as outer:
        with nvme0n1.ioworker(io_size=8, io_count=2000, read_percentage=0) as inner:
            pass
        assert not inner.running
        assert inner.close().io_count_write == 2000
        with nvme0n1.ioworker(io_size=8, io_count=3000) as another:
            pass
    assert outer.close().io_count_read == 1000
    assert another.close().io_count_read == 3000
    system.assert_clean(nvme0)


def test_close_twice(nvme0, nvme0n1, system):
    per_second = []
    worker = nvme0n1.ioworker(io_size=8, io_count=100, output_io_per_second=per_second).start()
    first = worker.close()
    assert first.io_count_read == 100
    assert sum(per_second) == 100
    seconds = list(per_second)
    assert worker.close() is first
    assert per_second == seconds
    system.assert_clean(nvme0)


def test_start_twice(nvme0, nvme0n1, system):
    worker = nvme0n1.ioworker(io_size=8, io_count=100).start()
    with pytest.raises(AssertionError, match="the IOWorker was started before; make a new one"):
        worker.start()
    assert worker.close().io_count_read == 100
    with pytest.raises(AssertionError, match="the IOWorker is closed; make a new one"):
        worker.start()
    system.assert_clean(nvme0)


def test_never_started(nvme0, nvme0n1, system):
    worker = nvme0n1.ioworker(io_size=8, time=60)
    assert not worker.running
    result = worker.close()
    assert (result.io_count_read, result.mseconds, result.error) == (0, 0, 0)
    dropped = nvme0n1.ioworker(io_size=8, time=60)
    del dropped
    system.assert_clean(nvme0)


def test_dropped_without_close(nvme0, nvme0n1, system):
    began = time.monotonic()
    workers = [nvme0n1.ioworker(io_size=8, time=60).start() for _ in range(16)]
    assert all(worker.running for worker in workers)
    del workers
    gc.collect()
    assert time.monotonic() - began < BOUND_S
    system.assert_clean(nvme0)


def test_namespace_and_controller_dropped_under_an_ioworker(drive):
    nvme0 = d.Controller(drive)
    nvme0n1 = d.Namespace(nvme0)
    worker = nvme0n1.ioworker(io_size=8, io_count=100_000).start()
    del nvme0n1, nvme0
    gc.collect()
    result = worker.close()
    assert (result.io_count_read, result.error) == (100_000, 0)
    del worker
    again = d.Controller(drive)
    again.close()


def test_closed_device_ends_its_ioworkers(drive, system, warned):
    nvme0 = d.Controller(drive)
    nvme0n1 = d.Namespace(nvme0)
    workers = [nvme0n1.ioworker(io_size=8, time=60).start() for _ in range(4)]
    began = time.monotonic()
    nvme0.close()
    assert time.monotonic() - began < BOUND_S
    for worker in workers:
        assert not worker.running
        worker.close()
    again = d.Controller(drive)
    system.assert_clean(again)
    again.close()


# --- resets and power under load ------------------------------------------------------------------


def assert_terminated(workers, warned):
    began = time.monotonic()
    errors = [worker.close().error for worker in workers]
    assert time.monotonic() - began < BOUND_S
    assert errors == [-7] * len(workers)
    assert warned() == ["ioworker host ERROR -7: sudden terminated"] * len(workers)


@pytest.mark.parametrize("latency", [0, 1])
@pytest.mark.parametrize(
    "reset", ["controller", "flr", "hot", "power", "cc", "subsystem", "twice", "shutdown"]
)
def test_reset_under_ioworkers(connect, system, warned, reset, latency):
    nvme0 = connect(latency=latency)
    nvme0n1 = d.Namespace(nvme0)
    if reset == "subsystem" and not nvme0.cap >> 36 & 1:
        pytest.skip("no NSSR")
    nvme0n1.verify_enable()
    workers = [
        nvme0n1.ioworker(io_size=8, read_percentage=50, region_end=1024, time=60).start()
        for _ in range(4)
    ]
    match reset:
        case "flr":
            d.Pcie(nvme0).flr()
        case "hot":
            d.Pcie(nvme0).reset()
        case "power":
            d.Subsystem(nvme0).power_cycle(0)
        case "cc":
            nvme0[0x14] = nvme0[0x14] & ~1
        case "subsystem":
            d.Subsystem(nvme0).reset()
        case "shutdown":
            d.Subsystem(nvme0).shutdown_notify()
        case "twice":
            nvme0.reset()
    nvme0.reset()
    assert_terminated(workers, warned)
    # What was written when the reset came is not known, and no false alarm comes of it.
    result = nvme0n1.ioworker(io_size=8, region_end=1024, io_count=2000).start().close()
    assert (result.error, warned()) == (0, [])
    system.assert_clean(nvme0)


@pytest.mark.parametrize("latency", [0, 1])
def test_power_cycle_under_16_ioworkers(connect, system, warned, latency):
    nvme0 = connect(latency=latency)
    nvme0n1 = d.Namespace(nvme0)
    subsystem = d.Subsystem(nvme0)
    nvme0n1.verify_enable()
    for _ in range(2):
        workers = [
            nvme0n1.ioworker(io_size=8, read_percentage=50, time=60).start() for _ in range(16)
        ]
        began = time.monotonic()
        subsystem.power_cycle(0)
        nvme0.reset()
        assert time.monotonic() - began < BOUND_S
        assert_terminated(workers, warned)
        system.assert_clean(nvme0)


def test_commands_of_a_script_when_the_power_goes(connect, system, warned):
    nvme0 = connect(latency=20)
    nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 64), d.Buffer(4096)
    finished = []
    for _ in range(63):
        nvme0n1.read(qpair, buf, 0, 8, cb=lambda cdw0, status1: finished.append(status1))
    subsystem = d.Subsystem(nvme0)
    subsystem.poweroff()
    began = time.monotonic()
    with pytest.raises(
        AssertionError, match="IO queue 1 is not usable: the device was powered off"
    ):
        qpair.waitdone(63)
    with pytest.raises(SystemError, match="is gone: its registers read all ones"):
        nvme0[0x1C]
    with pytest.raises(
        AssertionError, match="admin queue is not usable: the device was powered off"
    ):
        nvme0.getfeatures(7)
    assert time.monotonic() - began < BOUND_S
    subsystem.poweron()
    nvme0.reset()
    assert finished == []
    assert warned() == []
    system.assert_clean(nvme0)


def test_unplugged_under_ioworkers(drive, warned):
    """They end when the device is seen to be gone, long before their commands time out."""
    nvme0 = d.Controller(drive)
    nvme0.timeout = 600_000
    nvme0n1 = d.Namespace(nvme0)
    workers = [nvme0n1.ioworker(io_size=8, time=600).start() for _ in range(3)]
    workers.append(nvme0n1.ioworker(io_size=8, time=600, iops=1).start())
    drive.unplug()
    began = time.monotonic()
    for worker in workers:
        result = worker.close()
        assert result.error == -3
        assert "is gone: its registers read all ones. It was pulled out" in result.detail
    assert warned() == ["ioworker host ERROR -3: io timeout"] * 4
    with pytest.raises(SystemError, match="is gone"):
        nvme0.getfeatures(7).waitdone()
    nvme0.close()
    assert time.monotonic() - began < BOUND_S
