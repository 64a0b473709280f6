"""What commands share: the session, common options, flags that stand for settings, and the run that a command works in.

A long command looks like this:

    @click.command("train")
    @settings_flags({"--num-epochs": "training.phase1.num_epochs"})
    @set_option
    @run_options
    @click.pass_context
    def train(ctx, run, detached, as_json):
        loaded = load_config(ctx)
        folder = open_run(ctx, "train", loaded=loaded, rooms=["training"], inputs={"data": str(data)})
        ...
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from subprocess import Popen

    from ilab.cli.screen import Screen
    from ilab.config.keys import Key
    from ilab.config.load import Loaded
    from ilab.config.paths import Paths
    from ilab.runs.folder import RunFolder

Command = TypeVar("Command", bound=Callable[..., Any])

RUN_ID = "ILAB_RUN_ID"
"""Environment variable by which a command in the background is told its run id."""

_OVERRIDES = "ilab.overrides"
_SECRET_FLAGS = "ilab.secret_flags"


@dataclass(slots=True)
class Session:
    """What the top-level command line asked for; `argv` has no program name."""

    argv: list[str] = field(default_factory=list)
    config_file: str = ""
    config_given: bool = False
    verbosity: int = 0


def session(ctx: click.Context) -> Session:
    """The session that `ctx` belongs to."""
    found = ctx.find_object(Session)
    return found if found is not None else Session()


def paths() -> Paths:
    """The folders that ilab uses."""
    from ilab.config import paths as config_paths

    return config_paths.find()


# --- options ---


def json_option(command: Command) -> Command:
    """`--json`: print data instead of text. Parameter `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output.")(command)


def run_options(command: Command) -> Command:
    """`--run`, `--detached`, `--json` of a long command. Parameters `run`, `detached`, `as_json`."""
    command = json_option(command)
    command = click.option(
        "-dt", "--detached", is_flag=True, help="Work in the background; print the run id and return."
    )(command)
    return click.option("--run", "run", metavar="ID", default="", help="Go on with this run.")(command)


def set_option(command: Command) -> Command:
    """`--set room.key=value`, as often as wanted; read by `load_config`."""

    def keep(ctx: click.Context, option: click.Parameter, values: Sequence[str]) -> None:
        for value in values:
            name, equals, text = value.partition("=")
            if not equals:
                raise click.BadParameter(f"expected room.key=value, got {value!r}", ctx, option)
            remember(ctx, name.strip(), text, flag=f"--set {name.strip()}")

    return click.option(
        "--set",
        "_set",
        multiple=True,
        metavar="ROOM.KEY=VALUE",
        expose_value=False,
        callback=keep,
        help="Change a setting for this call; may be repeated. `ilab config show` lists the keys.",
    )(command)


def settings_flags(
    flags: Mapping[str, str], *, meaning: Mapping[str, str] | None = None
) -> Callable[[Command], Command]:
    """Options that stand for settings: `{"--num-epochs": "training.phase1.num_epochs"}`.

    Type, help and default in the help text come from the setting; `meaning` holds the help of flags whose setting means
    something else in this command. The values are read by `load_config`; the command's function has no parameter for
    them.
    """
    from ilab.config import keys
    from ilab.config.schema import Config

    known = keys.keys(Config)

    def decorate(command: Command) -> Command:
        for flag, name in reversed(list(flags.items())):
            command = _settings_flag(flag, known[name], (meaning or {}).get(flag, known[name].doc))(command)
        return command

    return decorate


def _settings_flag(flag: str, key: Key, doc: str) -> Callable[[Command], Command]:
    from ilab.config.write import literal

    spelled = flag.split(",")
    long = spelled[-1].strip()

    def keep(ctx: click.Context, option: click.Parameter, value: Any) -> None:
        if value is not None:
            remember(ctx, key.name, value, flag=long)
        if key.secret:
            ctx.meta.setdefault(_SECRET_FLAGS, []).extend(option.opts)

    default = "" if key.secret or key.default in ("", None) else f"default: {literal(_plain(key.default))}; "
    names = [name.strip() for name in spelled]
    if bool in key.members:
        names[-1] = f"{long}/--no-{long.removeprefix('--')}"
    return click.option(
        *names,
        f"_{key.name.replace('.', '_')}",
        default=None,
        type=_type_of(key),
        expose_value=False,
        callback=keep,
        help=f"{doc}  [{default}config: {key.name}]",
    )


def _plain(value: Any) -> Any:
    from ilab.config import keys

    return keys.plain(value)


def _type_of(key: Key) -> Any:
    """A click type for the simple cases; anything else is taken as text and checked with the settings."""
    import typing

    members = [member for member in key.members if member is not type(None)]
    if len(members) == 1:
        (member,) = members
        if typing.get_origin(member) is typing.Literal:
            return click.Choice([str(choice) for choice in typing.get_args(member)])
        return {int: click.INT, float: click.FLOAT, bool: click.BOOL}.get(member, click.STRING)
    return click.STRING


def remember(ctx: click.Context, name: str, value: Any, *, flag: str) -> None:
    """Keep the override of the setting `name` for `load_config`; the last one wins."""
    ctx.meta.setdefault(_OVERRIDES, {})[name] = (value, flag)


# --- settings ---


def load_config(ctx: click.Context, overrides: Mapping[str, Any] | None = None) -> Loaded:
    """The settings for this command: flags seen so far, `overrides` (dotted), environment, file, profile, defaults.

    With `--run ID` the settings recorded in that run come before file and environment, so that a run goes on as it was.
    """
    from ilab.base import logs
    from ilab.config import load

    kept: dict[str, tuple[Any, str]] = ctx.meta.get(_OVERRIDES, {})
    values = {name: value for name, (value, _) in kept.items()} | dict(overrides or {})
    run = open_recorded(ctx)
    asked = session(ctx)
    loaded = load.load(
        load.Request(
            file=Path(asked.config_file) if asked.config_file else None,
            file_must_exist=asked.config_given,
            overrides=values,
            flags={name: flag for name, (_, flag) in kept.items()},
            recorded=run.manifest.settings if run else {},
            run=run.id if run else "",
        )
    )
    logs.setup(asked.verbosity, level=loaded.config.general.log_level)
    return loaded


def open_recorded(ctx: click.Context) -> RunFolder | None:
    """The run that `--run` names, or None without it."""
    if not ctx.params.get("run"):
        return None
    from ilab.runs import index

    return index.find(paths().runs, ctx.params["run"])


# --- runs ---


def screen(ctx: click.Context) -> Screen:
    """The live view for this command; with `-v` it writes plain lines, because log lines would tear the live one."""
    from ilab.cli.screen import Screen

    return Screen(live=False if session(ctx).verbosity else None)


def open_run(
    ctx: click.Context, kind: str, *, loaded: Loaded, rooms: Sequence[str], inputs: Mapping[str, Any]
) -> RunFolder:
    """The run folder to work in: the one of `--run`, one that was asked for the same, or a new one.

    With `--detached` a child is started that goes on with that run, its id is printed, and the command ends here.
    """
    from ilab.errors import RunError
    from ilab.runs import folder as folders
    from ilab.runs import index

    root, view, settings = loaded.paths.runs, screen(ctx), loaded.record(*rooms)
    run = open_recorded(ctx)
    if run is None and RUN_ID not in os.environ:
        run = index.find_same(root, kind, settings=settings, inputs=dict(inputs))
    elif run is not None and run.manifest.kind != kind:
        raise RunError(f"run {run.id} is of kind `{run.manifest.kind}`, not `{kind}`", hint="`ilab run list` shows all")
    if run is None:
        run = folders.create(
            root, kind, argv=argv_without_secrets(ctx), settings=settings, sources=loaded.changed(), inputs=dict(inputs)
        )
    run.listener = view
    if ctx.params.get("detached"):
        if folders.holder(run.folder) is not None:
            raise RunError(f"run {run.id} is being worked on already", hint=f"`ilab run follow {run.id}` shows it")
        detach(ctx, run=run)
    return run


def detach(ctx: click.Context, *, kind: str = "", run: RunFolder | None = None) -> None:
    """Start this command again in the background, print its run id and log, and end this process.

    With `run` the child goes on with it; else a new run id of `kind` is made, and `runs.folder.create` will use it.
    """
    from ilab.base import clock
    from ilab.cli import output
    from ilab.runs import folder as folders

    run_id = run.id if run else clock.run_id(kind)
    log = (run.folder / "detached.log") if run else paths().logs / f"{run_id}.log"
    argv = with_run(argv_without_secrets(ctx), run.id if run else "")
    child = start_detached(argv, log=log, environ=secrets_as_environment(ctx) | ({} if run else {RUN_ID: run_id}))
    # Whoever asks for the run next must not be told that nobody works on it: wait until the child does, or has failed.
    folders.wait_for_worker(run.folder if run else paths().runs / run_id, ended=lambda: child.poll() is not None)
    if ctx.params.get("as_json"):
        output.print_json({"run": run_id, "log": str(log)})
    else:
        click.echo(run_id)
        output.tell(f"working in the background; follow it with `ilab run follow {run_id.rsplit('-', 1)[-1]}`")
        output.tell(f"output goes to {log}")
    ctx.exit()


def start_detached(argv: Sequence[str], *, log: Path, environ: Mapping[str, str] | None = None) -> Popen[bytes]:
    """Start `python -m ilab argv...` in its own session, with `environ` added to ours and its output in `log`."""
    import subprocess

    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output_file:
        return subprocess.Popen(
            [sys.executable, "-m", "ilab", *argv],
            stdin=subprocess.DEVNULL,
            stdout=output_file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **(environ or {})},
        )


def with_run(argv: Sequence[str], run_id: str) -> list[str]:
    """`argv` without `--run ID` and `--detached` of its own, and with `--run run_id` unless that is empty."""
    kept: list[str] = []
    words = iter(argv)
    for word in words:
        if word == "--":
            return [*kept, *(["--run", run_id] if run_id else []), word, *words]
        if word == "--run":
            next(words, None)
        elif word not in ("-dt", "--detached") and not word.startswith("--run="):
            kept.append(word)
    return [*kept, "--run", run_id] if run_id else kept


# --- secrets on the command line ---


def argv_without_secrets(ctx: click.Context) -> list[str]:
    """The command line as it may be written down: flags that set a secret are left out with their values."""
    flags = ctx.meta.get(_SECRET_FLAGS, [])
    names = _secret_settings()
    kept: list[str] = []
    words = iter(session(ctx).argv)
    for word in words:
        if word in flags:
            next(words, None)
        elif word == "--set":
            setting = next(words, "")
            kept += [] if setting.partition("=")[0].strip() in names else [word, setting]
        elif not any(word.startswith(f"{start}=") for start in (*flags, *(f"--set={name}" for name in names))):
            kept.append(word)
    return kept


def secrets_as_environment(ctx: click.Context) -> dict[str, str]:
    """Secrets given as flags, as the environment that a child reads them from: a command line can be seen by others."""
    kept: dict[str, tuple[Any, str]] = ctx.meta.get(_OVERRIDES, {})
    return {
        "ILAB_" + name.upper().replace(".", "__"): str(value)
        for name, (value, _) in kept.items()
        if name in _secret_settings()
    }


def _secret_settings() -> set[str]:
    from ilab.config import keys
    from ilab.config.schema import Config

    return {name for name, key in keys.keys(Config).items() if key.secret}
