"""Import on use: resolve "module:attribute", and turn an absent optional package into an install line."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType
from typing import Any

from ilab.errors import MissingExtra


def resolve(name: str) -> Any:
    """The object that "package.module:attribute" names."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def need(module: str, *, feature: str, extra: str) -> ModuleType:
    """Import an optional `module`, or raise `MissingExtra` that names the extra to install."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtra(feature, extra) from error


def check(*modules: str, feature: str, extra: str) -> None:
    """Raise `MissingExtra` unless every one of `modules` could be imported; imports none of them."""
    for module in modules:
        try:
            found = importlib.util.find_spec(module) is not None
        except (ImportError, ValueError):  # a parent is absent, or the module is blocked in sys.modules
            found = False
        if not found:
            raise MissingExtra(feature, extra)
