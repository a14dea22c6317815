"""Objects that go in 1000 random orders: at once, through the garbage collector, out of __del__,
after constructors that failed, at the exit of the interpreter. Nothing crashes or hangs, and the
device has no queue left of it."""

import gc
import random
import warnings

import pytest

import nvme as d

SEED = 0x5EED
QUEUES = 6
PARTS = 8
MANY_LIMIT_S = 300  # for dozens of interpreters; less than one that waits for its IOWorker
# Looked up before the interpreter exits: it imports nothing any more when the last __del__ runs.
EXPECTED = (AssertionError, TimeoutError, SystemError, d.QpairCreationError)


class Dying:
    """Calls into the device while it is being deleted, by the collector most of the time."""

    def __init__(self, parts):
        self.parts = parts
        self.me = self  # only the collector gets rid of it

    def __del__(self):
        try:
            nvme0, nvme0n1, qpair, buf = (
                self.parts.get(name) for name in ("nvme0", "nvme0n1", "qpair0", "buf")
            )
            if None not in (nvme0n1, qpair, buf):
                nvme0n1.read(qpair, buf, 0, 1)
                qpair.waitdone()
            if nvme0 is not None:
                nvme0.getfeatures(7).waitdone()
                d.Qpair(nvme0, 2)
        except EXPECTED:
            pass  # closed or full by then


def failed_constructors(rng, made):
    nvme0 = made["nvme0"]
    calls = [
        lambda: d.Qpair(nvme0, 1),
        lambda: d.Qpair(nvme0, 8, iv=2000),
        lambda: d.Qpair(nvme0, "8"),
        lambda: d.Namespace(nvme0, 7),
        lambda: d.Namespace(None),
        lambda: d.Buffer(0),
        lambda: d.Controller("nonsense"),
        lambda: d.Controller(nvme0.addr, nvme_init_func=5),
        lambda: made["nvme0n1"].ioworker(io_size=0, io_count=1),
        lambda: [d.Qpair(nvme0, 8) for _ in range(QUEUES + 1)],
    ]
    for call in rng.sample(calls, 3):
        with pytest.raises((AssertionError, d.QpairCreationError, d.NamespaceCreationError)):
            call()


def make(rng, drive):
    made = {}
    made["pcie"] = d.Pcie(drive)
    made["nvme0"] = nvme0 = d.Controller(made["pcie"] if rng.random() < 0.5 else drive)
    made["nvme0n1"] = nvme0n1 = d.Namespace(nvme0)
    made["buf"] = buf = d.Buffer(512)
    for number in range(rng.randrange(1, 4)):
        made[f"qpair{number}"] = d.Qpair(nvme0, 8)
    if rng.random() < 0.3:
        failed_constructors(rng, made)
    if rng.random() < 0.3:
        made["second"] = d.Controller(drive)
    if rng.random() < 0.02:
        made["worker"] = nvme0n1.ioworker(io_size=8, time=600).start()
    if rng.random() < 0.3:
        made["subsystem"] = d.Subsystem(nvme0)
    if rng.random() < 0.3:
        made["view"] = memoryview(buf)
    if rng.random() < 0.3:
        nvme0.aer(cb=lambda cpl: made)  # a cycle through the device
    if rng.random() < 0.4:
        made["dying"] = Dying(dict(made))
    for name in [name for name in made if name.startswith("qpair")]:
        for _ in range(rng.randrange(8)):
            cb = rng.choice((None, lambda cdw0, status1: made, lambda cpl, qpair=made[name]: qpair))
            nvme0n1.read(made[name], buf, 0, 1, cb=cb)
    return made


def part_with(rng, made):
    names = list(made)
    rng.shuffle(names)
    for name in names:
        if rng.random() < 0.2:
            thing = made[name]
            for end in ("delete", "close"):
                if hasattr(thing, end) and name != "worker":  # its close() waits
                    getattr(thing, end)()
            del thing
        del made[name]
        if rng.random() < 0.1:
            gc.collect()


@pytest.fixture
def quick_collections():
    """Only what the test makes is looked at; thousands of objects of pytest are not."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("quick_collections")
@pytest.mark.parametrize("part", range(PARTS))
def test_random_orders(part):
    rng = random.Random(SEED + part)
    drive = d.Ssd(capacity="64MiB", latency=rng.choice((0, 1)), queues=QUEUES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(1000 // PARTS):
            part_with(rng, make(rng, drive))
            gc.collect()  # or the queues of cycles would add up to more than there are
    # The device itself refuses a queue that it has already.
    nvme0 = d.Controller(drive)
    assert [d.Qpair(nvme0, 8).sqid for _ in range(3)] == [1, 1, 1]
    qpairs = [d.Qpair(nvme0, 8) for _ in range(QUEUES)]
    assert [qpair.sqid for qpair in qpairs] == list(range(1, QUEUES + 1))
    for qpair in qpairs:
        assert d.Namespace(nvme0).read(qpair, d.Buffer(512), 0).waitdone() == 0
    nvme0.close()
    drive.unplug()


@pytest.mark.usefixtures("quick_collections")
def test_random_orders_on_a_controller_that_stays():
    """Queues deleted by the last reference alone; no reset sweeps up behind them."""
    rng = random.Random(SEED)
    drive = d.Ssd(capacity="64MiB", latency=0, queues=QUEUES)
    keeper = d.Controller(drive)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(200):
            part_with(rng, make(rng, drive))
            gc.collect()
    assert keeper[0x14] & 1 == 1
    qpairs = [d.Qpair(keeper, 8) for _ in range(QUEUES)]
    assert [qpair.sqid for qpair in qpairs] == list(range(1, QUEUES + 1))
    keeper.close()
    drive.unplug()


EXIT = """
    import importlib.util, os, random, sys, warnings
    import nvme as d

    spec = importlib.util.spec_from_file_location("lifetime", sys.argv[1])
    lifetime = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(lifetime)
    warnings.simplefilter("ignore")
    for seed in range(int(sys.argv[2]), int(sys.argv[3])):
        child = os.fork()
        if child == 0:
            rng = random.Random(seed)
            drive = d.Ssd(capacity="64MiB", latency=rng.choice((0, 1)), queues=6)
            made = lifetime.make(rng, drive)
            names = list(made)
            rng.shuffle(names)
            for name in names:
                globals()[f"kept_{name}"] = made[name]
            for name in names[: rng.randrange(len(names))]:
                del globals()[f"kept_{name}"], made[name]
            if rng.random() < 0.5:
                made.clear()
            sys.exit(3)
        _, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) != 3:
            print(seed, status)
"""


@pytest.mark.parametrize("part", range(2))
def test_exit_of_the_interpreter(system, part):
    code, out, err = system.script(EXIT, __file__, part * 30, part * 30 + 30, timeout=MANY_LIMIT_S)
    assert (code, out, err) == (0, "", "")
