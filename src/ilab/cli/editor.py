"""Let users edit a text with their own editor, on a copy that outlives whatever goes wrong."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from ilab.cli import output
from ilab.errors import ConfigError, IlabError, MissingError

_AGAIN = "run `ilab config edit` again; VISUAL or EDITOR names another editor"


@contextmanager
def copy_of(text: str, *, prefix: str, suffix: str) -> Iterator[Path]:
    """A copy of `text` to edit, removed when the block ends well. Else one that was changed stays, and is named."""
    descriptor, name = tempfile.mkstemp(prefix=prefix, suffix=suffix)
    copy, original = Path(name), text.encode()
    with os.fdopen(descriptor, "wb") as file:
        file.write(original)
    done = False
    try:
        yield copy
        done = True
    finally:
        if done or not copy.exists() or copy.read_bytes() == original:
            copy.unlink(missing_ok=True)
        else:
            output.tell(f"what you wrote is kept in {copy}")


def edit(copy: Path) -> str:
    """Open `copy` in the user's editor and return what it holds afterwards."""
    try:
        click.edit(filename=str(copy))
    except ValueError as error:  # quotes that do not close
        raise _no_editor(f"VISUAL or EDITOR is no command: {error}") from error
    except click.ClickException as error:
        if isinstance(error.__cause__, OSError):
            raise _no_editor(f"the editor cannot be started: {error.__cause__}") from error
        raise IlabError("the editor ended with an error, so nothing was saved", hint=_AGAIN) from error
    try:
        return copy.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except FileNotFoundError as error:
        raise IlabError("the editor removed the copy that it was given, so nothing was saved", hint=_AGAIN) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"the text is not UTF-8, so nothing was saved: {error.reason}", hint=_AGAIN) from error


def _no_editor(message: str) -> MissingError:
    return MissingError(message, hint="set VISUAL or EDITOR to the command of an editor, such as `nano`")
