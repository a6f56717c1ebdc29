"""What all tests need."""

import signal


def pytest_configure(config):
    """What a shell starts in the background ignores Ctrl-C, and so does what that starts: programs that tests interrupt."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
