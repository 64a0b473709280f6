"""What our own engine programs share: options for the address, and ending with the parent."""

from __future__ import annotations

import argparse
import os
import signal
import threading
import time

_PARENT_POLL = 1.0


def parser(description: str) -> argparse.ArgumentParser:
    """A parser with the options that every engine program takes."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--model", required=True, help="model file or folder")
    options.add_argument("--name", required=True, help="name of the model in the API")
    options.add_argument("--socket", default="", help="Unix socket to listen on")
    options.add_argument("--host", default="127.0.0.1", help="address to listen on when there is no socket")
    options.add_argument("--port", type=int, default=0, help="port to listen on when there is no socket")
    options.add_argument("--context", type=int, required=True, help="tokens of context for each request")
    options.add_argument("--threads", type=int, required=True, help="processor threads")
    return options


def end_with_parent() -> None:
    """End this process soon after its parent has ended, on systems that do not do it for us."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_POLL)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def wait_for_signal() -> None:
    """Return on SIGTERM or SIGINT."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        return
