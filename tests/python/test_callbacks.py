"""cb(cdw0, status1) or cb(cpl): told apart by the signature of whatever can be called."""

import functools
import inspect
import unittest.mock
import warnings

import pytest

import nvme as d

CDW0 = 0x000F000F  # Number of Queues


class Keeper:
    def __init__(self):
        self.got = []

    def two(self, cdw0, status1):
        self.got.append((cdw0, status1))

    def one(self, cpl):
        self.got.append(cpl)

    def __call__(self, cdw0, status1):
        self.got.append((cdw0, status1))

    @classmethod
    def of_class(cls, cdw0, status1):
        cls.last = (cdw0, status1)

    @staticmethod
    def of_nobody(cpl):
        Keeper.last = cpl


class CalledWithOne:
    def __init__(self, got):
        self.got = got

    def __call__(self, cpl):
        self.got.append(cpl)


def collect(keeper):
    """Callables of every kind, by what they get."""
    got = keeper.got

    def defaults(cdw0, status1, tag="tag"):
        got.append((cdw0, status1))

    def default_of_one(cpl, tag="tag"):
        got.append(cpl)

    def default_status(cdw0, status1=None):
        got.append((cdw0, status1))

    def keyword_only(cdw0, status1, *, tag="tag"):
        got.append((cdw0, status1))

    def positional_only(cdw0, status1, /):
        got.append((cdw0, status1))

    def annotated(cdw0: int, status1: int) -> None:
        got.append((cdw0, status1))

    def with_tag(tag, cdw0, status1):
        got.append((cdw0, status1))

    def with_tag_last(cdw0, status1, tag):
        got.append((cdw0, status1))

    @functools.wraps(defaults)
    def wrapper(*args, **kwargs):
        return defaults(*args, **kwargs)

    two = {
        "lambda": lambda cdw0, status1: got.append((cdw0, status1)),
        "other names": lambda a, b: got.append((a, b)),
        "defaults": defaults,
        "all defaults": lambda cdw0=0, status1=0: got.append((cdw0, status1)),
        "default status": default_status,
        "keyword only": keyword_only,
        "positional only": positional_only,
        "annotated": annotated,
        "*args": lambda *args: got.append(args),
        "*args, **kwargs": lambda *args, **kwargs: got.append(args),
        "one and *args": lambda cdw0, *rest: got.append((cdw0, *rest)),
        "bound method": keeper.two,
        "__call__": keeper,
        "partial": functools.partial(with_tag, "tag"),
        "partial by keyword": functools.partial(with_tag_last, tag="tag"),
        "partial of a method": functools.partial(keeper.two),
        "wrapped": wrapper,
        "loop variable": [lambda cdw0, status1, i=i: got.append((cdw0, status1)) for i in (1, 2)][
            1
        ],
        "mock": unittest.mock.Mock(side_effect=lambda *args: got.append(args)),
    }
    one = {
        "lambda": lambda cpl: got.append(cpl),
        "other name": lambda x: got.append(x),
        "default": default_of_one,
        "all defaults": lambda cpl=None: got.append(cpl),
        "bound method": keeper.one,
        "__call__": CalledWithOne(got),
        "partial": functools.partial(lambda tag, cpl: got.append(cpl), "tag"),
        "builtin": got.append,
        "bound builtin of partial": functools.partial(got.insert, 0),
    }
    return two, one


TWO, ONE = collect(Keeper())


def is_cpl(value):
    return isinstance(value, tuple) and len(value) == 4 and all(isinstance(v, int) for v in value)


@pytest.mark.parametrize("kind", TWO)
@pytest.mark.parametrize("command", ["admin", "io"])
def test_two_arguments(nvme0, nvme0n1, qpair, warned, kind, command):
    keeper = Keeper()
    cb = collect(keeper)[0][kind]
    if command == "admin":
        nvme0.getfeatures(7, cb=cb).waitdone()
    else:
        nvme0n1.read(qpair, d.Buffer(512), 0, cb=cb).waitdone()
    ((cdw0, status1),) = keeper.got
    assert cdw0 == (CDW0 if command == "admin" else 0)
    assert status1 >> 1 == 0
    assert status1 & 1 == 1  # the phase bit of the first round
    assert warned() == []


@pytest.mark.parametrize("kind", ONE)
def test_one_argument(nvme0, warned, kind):
    keeper = Keeper()
    nvme0.getfeatures(7, cb=collect(keeper)[1][kind]).waitdone()
    (cpl,) = keeper.got
    assert is_cpl(cpl)
    assert cpl[0] == CDW0
    assert cpl[3] >> 17 == 0  # status
    assert cpl[3] & 0xFFFF == nvme0.latest_cid
    assert warned() == []


def test_class_and_static_methods(nvme0):
    nvme0.getfeatures(7, cb=Keeper.of_class).waitdone()
    assert Keeper.last[0] == CDW0
    nvme0.getfeatures(7, cb=Keeper.of_nobody).waitdone()
    assert is_cpl(Keeper.last)


@pytest.mark.parametrize(
    "cb",
    [
        5,
        "print",
        lambda: None,
        lambda a, b, c: None,
        lambda cdw0, status1, *, needed: None,
        functools.partial(lambda cpl: None, 1),
    ],
)
def test_not_callable_that_way(nvme0, nvme0n1, qpair, cb):
    for call in (
        lambda: nvme0.getfeatures(7, cb=cb),
        lambda: nvme0.aer(cb=cb),
        lambda: nvme0n1.flush(qpair, cb=cb),
    ):
        with pytest.raises(AssertionError, match="cb must be callable"):
            call()
    with pytest.raises(TimeoutError):
        qpair.waitdone()
    with pytest.raises(TimeoutError):
        nvme0.waitdone()


def test_a_type_error_of_the_callback_is_its_own(nvme0, warned):
    """Not taken for a sign that it wants other arguments."""
    calls = []

    def cb(cdw0, status1):
        calls.append(cdw0)
        len(5)

    nvme0.getfeatures(7, cb=cb).waitdone()
    assert calls == [CDW0]
    assert warned() == ["callback: TypeError: object of type 'int' has no len()"]


def test_errors_become_warnings(nvme0, warned):
    def fails(cpl):
        assert cpl[0] == 1, "not what was expected"

    def breaks(cpl):
        raise LookupError("nowhere")

    assert nvme0.getfeatures(7, cb=fails).waitdone() == CDW0
    (text,) = warned()
    assert text.startswith("ASSERT: not what was expected")
    assert nvme0.getfeatures(7, cb=breaks).waitdone() == CDW0
    assert warned() == ["callback: LookupError: nowhere"]


def test_a_warning_that_is_an_error_still_calls_back(nvme0):
    seen = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="ERROR status: 00/01"):
            nvme0.send_cmd(
                0xFF, cb=lambda cdw0, status1: seen.append(status1 >> 1 & 0x7FF)
            ).waitdone()
    assert seen == [1]


def test_error_status_reaches_the_callback_and_warns(nvme0, warned):
    seen = []
    nvme0.send_cmd(0xFF, cb=lambda cdw0, status1: seen.append(status1 >> 1 & 0x7FF)).waitdone()
    assert (seen, warned()) == ([1], ["ERROR status: 00/01"])


def test_callbacks_send_and_may_not_wait(nvme0, nvme0n1, qpair, warned):
    buf, order = d.Buffer(512), []

    def second(cdw0, status1):
        order.append("second")
        qpair.waitdone()

    def first(cdw0, status1):
        order.append("first")
        nvme0n1.read(qpair, buf, 0, cb=second)

    nvme0n1.read(qpair, buf, 0, cb=first)
    assert order == []
    qpair.waitdone(2)
    assert order == ["first", "second"]
    (text,) = warned()
    assert text.startswith("ASSERT: waitdone() was called inside a callback: a callback may send")


def test_the_signature_is_looked_at_once(nvme0):
    """When the command is sent."""
    assert inspect.signature(TWO["lambda"]).parameters.keys() == {"cdw0", "status1"}
    keeper = Keeper()
    for _ in range(3):
        nvme0.getfeatures(7, cb=keeper.one)
    keeper.one = None
    nvme0.waitdone(3)
    assert len(keeper.got) == 3
