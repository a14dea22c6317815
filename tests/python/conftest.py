"""Devices of the tests: embedded SSDs without latency, a new one for each test."""

import linecache
import os
import signal
import sys
import threading
import time
import warnings

import pytest

import nvme as d


@pytest.fixture
def ssd():
    device = d.Ssd(capacity="1GiB", latency=0)
    yield device
    device.unplug()


@pytest.fixture
def pcie(ssd):
    function = d.Pcie(ssd)
    yield function
    function.close()


@pytest.fixture
def warned():
    """warned(): the texts of all warnings since the last call, or since the test began."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")

        def texts():
            found = [str(warning.message) for warning in caught]
            caught.clear()
            return found

        yield texts


@pytest.fixture
def ctrl_c_at():
    """ctrl_c_at(text): Ctrl-C when the main thread has come to a line of code with this text.

    That line is to be a call into the core, which notices a signal that came just before it.
    """
    over = threading.Event()
    threads = []

    def press(text):
        main = threading.main_thread().ident
        while not over.wait(0.01):
            frame = sys._current_frames()[main]
            if text in linecache.getline(frame.f_code.co_filename, frame.f_lineno):
                time.sleep(0.2)
                os.kill(os.getpid(), signal.SIGINT)
                return

    def arm(text):
        threads.append(threading.Thread(target=press, args=(text,)))
        threads[-1].start()

    yield arm
    over.set()
    for thread in threads:
        thread.join()
