"""The one handler: every error becomes a message, details, a hint and an exit status. No traceback without `-v`.

0 done   1 the work failed   2 usage   3 a user file is wrong   4 something is missing   130 interrupted
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from ilab.cli import output
from ilab.config import paths
from ilab.errors import IlabError


def run(work: Callable[[], Any], *, verbose: Callable[[], bool]) -> int:
    """Do `work` and return the exit status; what went wrong is told on stderr.

    A broken pipe (`ilab run list | head`) needs nothing here: click ends quietly.
    """
    output.write_any_letter()
    try:
        result = work()
        # click returns the status of `ctx.exit(status)`; a command that ends by itself returns None
        status = result if isinstance(result, int) and not isinstance(result, bool) else 0
    except IlabError as error:
        status = _expected(error, cause=error, verbose=verbose())
    except click.UsageError as error:
        status = _usage(error)
    except click.ClickException as error:
        say(_lowered(error.format_message()))
        status = error.exit_code
    except click.Abort as abort:
        status = _aborted(abort)
    except OSError as error:
        known = _disk_error(error)
        status = _expected(known, cause=error, verbose=verbose()) if known else _bug(error, verbose=verbose())
    except Exception as error:  # noqa: BLE001 - the outermost frame: what arrives here is a bug, told in one line
        status = _bug(error, verbose=verbose())
    return status


def say(message: str, *, details: Sequence[str] = (), hint: str = "") -> None:
    """Print an error on stderr: `error: ...`, indented details, `hint: ...`."""
    click.echo(f"{output.style('error:', fg='red', bold=True)} {message}", err=True)
    for detail in details:
        for line in detail.splitlines():
            click.echo(f"  {line}", err=True)
    if hint:
        click.echo(f"{output.style('hint:', fg='cyan', bold=True)} {hint}", err=True)


def warn(message: str) -> None:
    """Print a warning on stderr."""
    click.echo(f"{output.style('warning:', fg='yellow', bold=True)} {message}", err=True)


def _expected(error: IlabError, *, cause: BaseException, verbose: bool) -> int:
    _traceback(cause, verbose)
    say(error.message, details=error.details, hint=error.hint)
    return error.exit_code


def _disk_error(error: OSError) -> IlabError | None:
    """What a full disk or an unwritable folder is told as, wherever we met it; None for any other error."""
    from ilab.base import disk

    # without a file name the folders do not matter; finding them could fail for the same reason as the work
    roots = () if error.filename is None else paths.find().roots
    return disk.explain(error, roots)


def _bug(error: Exception, *, verbose: bool) -> int:
    _traceback(error, verbose)
    hint = "" if verbose else "this is a bug in ilab; run again with -v to see the traceback"
    say(f"{type(error).__name__}: {error}", hint=hint)
    return 1


def _usage(error: click.UsageError) -> int:
    hint = ""
    if error.ctx is not None:
        click.echo(error.ctx.get_usage(), err=True)
        hint = f"`{error.ctx.command_path} --help` shows what can be given here"
    say(_lowered(error.format_message()), hint=hint)
    return error.exit_code


def _aborted(abort: click.Abort) -> int:
    """Ctrl-C, or a question that nobody is there to answer."""
    if isinstance(abort.__cause__ or abort.__context__, EOFError):
        say("a question was asked, and standard input gave no answer", hint="give the answer as an option")
        return 1
    say("interrupted")
    return 130


def _lowered(message: str) -> str:
    """Click's sentence in our form: lower case, no full stop."""
    text = message.strip().rstrip(".")
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def _traceback(error: BaseException, wanted: bool) -> None:
    if wanted:
        import traceback

        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
