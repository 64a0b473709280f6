"""Logging set-up, called by adapters only: stderr for people, a file for the run."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

LINE = "%(levelname)s %(asctime)s %(name)s:%(lineno)d: %(message)s"


def setup(verbosity: int = 0, *, level: str = "WARNING") -> None:
    """Log to stderr: warnings by default, our own debug lines with one `-v`, everything with two."""
    root = logging.getLogger()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(LINE))
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if verbosity > 1 else level)
    logging.getLogger("ilab").setLevel(logging.DEBUG if verbosity else level)


def to_file(path: Path) -> logging.Handler:
    """Also write our own log lines of every level to `path`; returns the handler so that it can be removed."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter(LINE))
    handler.setLevel(logging.DEBUG)
    logging.getLogger("ilab").addHandler(handler)
    return handler
