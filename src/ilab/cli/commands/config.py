"""`ilab config`: init, show, edit, path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ilab.cli import editor, output, report
from ilab.cli.options import json_option, load_config, session, set_option
from ilab.config import faults as fault_texts
from ilab.config import keys, load, paths, rescue, write, yaml_file
from ilab.config.schema import Config
from ilab.errors import ConfigError, Fault, IlabError
from ilab.models import refs
from ilab.models.store import ModelStore

NO_PROFILE = "No profile (CPU-only)"


@click.command("init")
@click.option("--interactive/--non-interactive", default=True, help="Ask for each value, or take the defaults.")
@click.option("--taxonomy-path", metavar="PATH", help="Folder of the taxonomy.")
@click.option("--model-path", metavar="PATH", help="Model to customize: a name in the store, a folder or a reference.")
@click.option("--train-profile", "--profile", "profile", metavar="NAME", help="Train profile, such as `L4_x8.yaml`.")
@click.pass_context
def init(
    ctx: click.Context, interactive: bool, taxonomy_path: str | None, model_path: str | None, profile: str | None
) -> None:
    """Initializes environment for InstructLab.

    Asks for the few values that matter and writes a commented config file. Settings that were changed before are kept.
    """
    places = paths.find()
    file = _file(ctx, places)
    if file.exists() and interactive and not click.confirm(f"Found {file}, do you still want to continue?"):
        return
    if profile:
        _check_profile(profile, places)
    if model_path:
        model_path = _checked_model(model_path, ModelStore(places.models))
    changed = _kept_settings(file)
    if interactive:
        click.echo("Welcome to InstructLab CLI. This guide will help you to setup your environment.")
        click.echo("Please provide the following values to initiate the environment [press Enter for defaults]:")
    taxonomy = _taxonomy(changed, places, given=taxonomy_path, ask=interactive)
    _model(changed, places, given=model_path, ask=interactive)
    click.echo(f"Generating `{file}`...")
    _write(file, changed)
    _choose_profile(changed, places, given=profile, ask=interactive)
    _write(file, changed)
    _make_folders(places)
    if not any(taxonomy.rglob("qna.yaml")):
        output.tell(f"next: put your knowledge and skills below {taxonomy}")
    click.echo("Initialization completed successfully, you're ready to start using `ilab`. Enjoy!")


def _file(ctx: click.Context, places: paths.Paths) -> Path:
    asked = session(ctx)
    if asked.config_file == "DEFAULT":
        raise click.UsageError("DEFAULT stands for the built-in defaults, which cannot be written", ctx)
    file = Path(asked.config_file) if asked.config_file else places.config_file
    if file.is_dir():
        raise ConfigError(f"{file} is a folder", hint="name a file with `--config PATH`")
    return file


def _kept_settings(file: Path) -> dict[str, Any]:
    """What an existing file changes, less its faults. The file itself is set aside under another name."""
    if not file.exists():
        return {}
    backup = rescue.back_up(file)
    changed, faults = rescue.sound(file)
    if faults:
        report.warn(f"{file} has faults; what they concern is left out, and everything else is kept")
        for fault in faults:
            output.tell(f"  {fault}")
    output.tell(f"the former file is kept as {backup}")
    return changed


def _taxonomy(changed: dict[str, Any], places: paths.Paths, *, given: str | None, ask: bool) -> Path:
    """Settle where the taxonomy is, and offer to make an empty one there."""
    default = str(changed.get("taxonomy.path") or places.taxonomy)
    if given is None and ask:
        given = click.prompt("Path to taxonomy repo", default=default)
    folder = Path(given or default).expanduser()
    if given and folder != places.taxonomy:
        changed["taxonomy.path"] = str(folder.absolute())
    elif given:
        changed.pop("taxonomy.path", None)
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        return folder
    question = f"`{folder}` seems to not exist or is empty. Should I create an empty taxonomy for you?"
    if not ask or click.confirm(question, default=True):
        for name in ("knowledge", "compositional_skills"):
            (folder / name).mkdir(parents=True, exist_ok=True)
    return folder


def _model(changed: dict[str, Any], places: paths.Paths, *, given: str | None, ask: bool) -> None:
    key = keys.keys(Config)["models.student"]
    if given is None and ask:
        given = _asked_model(str(changed.get(key.name, key.default)), ModelStore(places.models))
    if given == key.default:
        changed.pop(key.name, None)
    elif given:
        changed[key.name] = given


def _asked_model(kept: str, store: ModelStore) -> str:
    """Ask until the answer is a model. The one that was chosen before may be taken again unseen."""

    def checked(answer: str) -> str:
        try:
            return answer if answer == kept else _checked_model(answer, store)
        except IlabError as error:
            raise click.BadParameter(f"{error.message}; {error.hint}") from error

    answer: str = click.prompt("Path to your model", default=kept, value_proc=checked)
    return answer


def _checked_model(given: str, store: ModelStore) -> str:
    """`given` as the file will name it, a path in full. Raises `IlabError` where no model is; a package counts."""
    reference = refs.parse(given)
    if isinstance(reference, refs.PackageRef):
        return str(reference)
    found = store.find(given)
    if isinstance(reference, refs.NameRef) and found.path.is_relative_to(store.root):
        return given
    return str(Path(given).expanduser().absolute())


def _choose_profile(changed: dict[str, Any], places: paths.Paths, *, given: str | None, ask: bool) -> None:
    """Show the menu of train profiles, or take the one that was named."""
    if given is None and ask:
        names = load.profile_names(places)
        click.echo("Please choose a train profile to use:")
        for place, name in enumerate([NO_PROFILE, *names]):
            click.echo(f"[{place}] {name}")
        chosen = click.prompt(
            "Enter the number of your choice [hit enter for the default CPU-only profile]",
            type=click.IntRange(0, len(names)),
            default=0,
            show_choices=False,
        )
        given = names[chosen - 1] if chosen else ""
        click.echo(f"You selected: {given or NO_PROFILE}")
    if given:
        changed["general.profile"] = given
    elif given == "":
        changed.pop("general.profile", None)


def _check_profile(name: str, places: paths.Paths) -> None:
    if load.profile_file(name, places) is None:
        known = ", ".join(load.profile_names(places))
        raise ConfigError(f"there is no train profile `{name}`", hint=f"known: {known}")


def _write(file: Path, changed: dict[str, Any]) -> None:
    """Check what will be written, then write it."""
    text = write.template(changed)
    if faults := load.check(text, file=file):
        raise load.failure(faults, file=file)
    write.save(file, text)


def _make_folders(places: paths.Paths) -> None:
    for folder in (places.models, places.datasets, places.runs, places.profiles, places.state, places.cache):
        folder.mkdir(parents=True, exist_ok=True)


@click.command("show")
@click.option("-k", "--key", metavar="KEY", help="Only this key or section, for example `training.seed`.")
@click.option("-wc", "--without-comments", is_flag=True, help="Only the values.")
@json_option
@set_option
@click.pass_context
def show(ctx: click.Context, key: str | None, without_comments: bool, as_json: bool) -> None:
    """Displays the active config and where each value comes from.

    Sources: default, profile, file, environment, flag. Secrets are masked.
    """
    loaded = load_config(ctx)
    known = keys.keys(Config)
    chosen = _selected(key) if key else list(known)
    if as_json:
        values = {name: {"value": write.shown(loaded, known[name]), "source": loaded.sources[name]} for name in chosen}
        output.print_json(values)
    elif key is not None and key in known:
        source = "" if without_comments else f"  # {write.origin(loaded, known[key])}"
        click.echo(write.literal(write.shown(loaded, known[key])) + source)
    else:
        click.echo(write.active(loaded, only=chosen, comments=not without_comments), nl=False)


def _selected(asked: str) -> list[str]:
    names = [name for name in keys.keys(Config) if name == asked or name.startswith(f"{asked}.")]
    if not names:
        fault = fault_texts.unknown(asked, yaml_file.Setting(value=None, source="", path="--key"), Config)
        raise ConfigError(fault.message, hint=fault.hint or "`ilab config show` lists every key")
    return names


@click.command("edit")
@click.pass_context
def edit(ctx: click.Context) -> None:
    """Opens the config file in your editor and checks it afterwards.

    The editor works on a copy: a faulty file is never written unless you insist.
    """
    file = _file(ctx, paths.find())
    before = _text(file) if file.exists() else write.template({})
    with editor.copy_of(before, prefix="ilab-config-", suffix=".yaml") as copy:
        while True:
            text = editor.edit(copy)
            if text == before:
                output.tell("nothing was changed")
                return
            faults = load.check(text, file=file)
            if not faults or _insists(file, faults):
                break
        write.save(file, text)
    output.tell(f"saved {file}")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{file} is not UTF-8 text: {error.reason}", hint="`ilab config init` sets it aside and writes a new one"
        ) from error


def _insists(file: Path, faults: list[Fault]) -> bool:
    """Show the faults and ask what to do: False reopens the editor, True saves all the same, or we end here."""
    error = load.failure(faults, file=file)
    report.say(error.message, details=error.details)
    if click.confirm("Edit again?", default=True):
        return False
    if click.confirm(f"Save {file} with these faults? ilab will refuse to work until they are mended", default=False):
        return True
    raise ConfigError(f"{file} was left as it was", hint="run `ilab config edit` again")


@click.command("path")
@json_option
@click.pass_context
def path(ctx: click.Context, as_json: bool) -> None:
    """Displays the folders and files that ilab uses."""
    places = paths.find()
    rows = {
        "config": _file(ctx, places),
        "profiles": places.profiles,
        "models": places.models,
        "taxonomy": places.taxonomy,
        "datasets": places.datasets,
        "runs": places.runs,
        "chats": places.chats,
        "state": places.state,
        "cache": places.cache,
    }
    if as_json:
        output.print_json(rows)
    else:
        for name, place in rows.items():
            click.echo(f"{name + ':':<10} {place}")
