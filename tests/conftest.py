"""For all tests of the project."""

import signal

# A shell that runs us in the background has Ctrl-C ignored, here and in all that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
