"""Prompt templates out of the user's files. They are rendered in a sandbox, and may not name what a row lacks."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

_JINJA = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, autoescape=False)


class Unrendered(Exception):
    """The prompt cannot be made for this row; the message says why."""


def syntax_fault(template: str) -> str:
    """What is wrong with the template; empty if nothing is."""
    try:
        _JINJA.parse(template)
    except jinja2.TemplateSyntaxError as error:
        return f"line {error.lineno} of the prompt: {error.message}"
    return ""


def render(template: str, columns: Mapping[str, Any]) -> str:
    """The prompt for a row. Raises `Unrendered`."""
    try:
        return _compiled(template).render(columns).strip()
    except jinja2.UndefinedError as error:
        raise Unrendered(f"the prompt names what the row does not have: {error.message}") from error
    except Exception as error:
        # Whatever an expression of the user runs into is a fault of the prompt, and must not end the run.
        raise Unrendered(f"the prompt cannot be made: {error}") from error


@functools.lru_cache(maxsize=256)
def _compiled(template: str) -> jinja2.Template:
    return _JINJA.from_string(template)
