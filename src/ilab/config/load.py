"""Resolve the settings: default < profile < file < environment < recorded run < flag, with the source of each value.

    ILAB_TRAINING__SEED=3            the environment: room and key joined by two underscores
    --set training.seed=3            a flag
    training: {seed: 3}              config.yaml, or a profile named by `general.profile`

All faults come at once. A file holds only what the user changed; unknown keys are errors, never ignored.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ilab.config import environment, keys, paths, yaml_file
from ilab.config import faults as fault_texts
from ilab.config.schema import Config
from ilab.config.yaml_file import Setting
from ilab.errors import ConfigError, Fault

Layer = dict[str, Setting]

PROFILES = Path(__file__).with_name("profiles")
DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The settings, where each came from (dotted key -> source), the file that was read, and the folders."""

    config: Config
    sources: Mapping[str, str]
    file: Path | None
    paths: paths.Paths

    def changed(self) -> dict[str, str]:
        """Sources of the values that are not defaults, for a run's manifest."""
        return {name: source for name, source in self.sources.items() if source != DEFAULT}

    def record(self, *rooms: str) -> dict[str, Any]:
        """Settings of `rooms` (all without arguments) as JSON for a run's manifest; secrets are left out."""
        values: dict[str, Any] = {}
        for name, key in keys.keys(Config).items():
            if not key.secret and (not rooms or name.split(".")[0] in rooms):
                place(values, name, keys.plain(keys.value_of(self.config, name)))
        return values


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to resolve. `overrides` come from flags; `flags` names the flag behind each, for messages.

    `recorded` are the settings of a run that goes on; `run` is its id.
    """

    file: Path | None = None
    file_must_exist: bool = False
    overrides: Mapping[str, Any] = field(default_factory=dict)
    flags: Mapping[str, str] = field(default_factory=dict)
    recorded: Mapping[str, Any] = field(default_factory=dict)
    run: str = ""
    environ: Mapping[str, str] | None = None


def load(request: Request | None = None) -> Loaded:
    """Resolve every setting, or raise `ConfigError` with all faults."""
    request = request or Request()
    loaded, faults = resolve(request)
    if loaded is None:
        raise failure(faults, file=request.file)
    return loaded


def failure(faults: list[Fault], *, file: Path | None = None) -> ConfigError:
    """The error that tells of `faults`; `file` is the settings file where it is not the usual one."""
    many = f"{len(faults)} faults in the settings" if len(faults) > 1 else "a fault in the settings"
    usual = paths.find().config_file
    edit = "ilab config edit" if file in (None, usual) else f"ilab --config {shlex.quote(str(file))} config edit"
    hint = fault_texts.way_out(faults, file=file or usual, edit=edit)
    return ConfigError(many, details=[str(fault) for fault in faults], hint=hint)


def check(text: str, *, file: Path) -> list[Fault]:
    """The faults of `text` as the content of `file`; what the environment sets is left out of it."""
    environ = environment.without_settings(os.environ)
    return resolve(Request(file=file, environ=environ), text=text)[1]


def resolve(request: Request, *, text: str | None = None) -> tuple[Loaded | None, list[Fault]]:
    """The settings, or None with the faults. `text` stands in for the content of the file (`config edit`)."""
    environ = os.environ if request.environ is None else request.environ
    places = paths.find(environ)
    file = request.file or places.config_file
    from_file, faults = _file_layer(request, file, text)
    from_environment, unknown = environment.layer(environ)
    faults += unknown
    rest = [from_environment, _recorded_layer(request), _flag_layer(request)]
    profile, profile_faults = _profile_layer([from_file, *rest], places)
    faults += profile_faults
    chosen: Layer = {}
    for layer in (profile, from_file, *rest):
        faults += [fault_texts.unknown(name, setting, Config) for name, setting in layer.items() if not is_known(name)]
        chosen |= {name: setting for name, setting in layer.items() if is_known(name)}
    config, value_faults = _validate(chosen, environ)
    faults += value_faults
    if config is None or faults:
        return None, sorted(faults)
    sources = {name: chosen[name].source if name in chosen else DEFAULT for name in keys.keys(Config)}
    read = file if text is not None or file.exists() else None
    return Loaded(config=config, sources=sources, file=read, paths=places), []


def is_known(name: str) -> bool:
    """Whether there is a setting of this dotted name."""
    return name in keys.keys(Config)


def _file_layer(request: Request, file: Path, text: str | None) -> tuple[Layer, list[Fault]]:
    if text is None:
        if str(file) == "DEFAULT" or (not request.file_must_exist and not file.exists()):
            return {}, []
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"`{file}` does not exist or is not a readable file",
                details=[] if isinstance(error, FileNotFoundError) else [str(error)],
                hint="run `ilab config init`, or point to a configuration file with `--config PATH`",
            ) from error
    return settings_of(text, file)


def settings_of(text: str, file: Path) -> tuple[Layer, list[Fault]]:
    """What `text`, the content of `file`, sets, each with its line, and the faults of its form."""
    return yaml_file.read(text, path=file, kind="file", is_section=_is_section)


def _is_section(name: str) -> bool:
    return name in keys.sections(Config)


def _flag_layer(request: Request) -> Layer:
    layer = {}
    for name, given in request.overrides.items():
        flag = request.flags.get(name, f"--set {name}")
        value = _parsed(name, given) if isinstance(given, str) else given
        layer[name] = Setting(value=value, source=f"flag {flag}", path=flag)
    return layer


def _parsed(name: str, text: str) -> Any:
    key = keys.keys(Config).get(name)
    return keys.from_text(key, text) if key else text


def _recorded_layer(request: Request) -> Layer:
    """Settings of a run that goes on; keys of an older version are passed over. Empty secrets stay out."""
    source = f"run {request.run}"
    values = {name: value for name, value in flat(request.recorded).items() if is_known(name)}
    return {name: Setting(value=value, source=source, path=source) for name, value in values.items()}


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as dotted keys; only sections of the schema are taken apart."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        dotted = f"{prefix}{name}"
        if isinstance(value, Mapping) and _is_section(dotted):
            found |= flat(value, f"{dotted}.")
        else:
            found[dotted] = value
    return found


# --- profiles ---


def profile_names(places: paths.Paths) -> list[str]:
    """Names of the shipped profiles and the user's own."""
    own = [file.name for file in places.profiles.glob("*.yaml")] if places.profiles.exists() else []
    return sorted({file.name for file in PROFILES.glob("*.yaml")} | set(own))


def _profile_layer(layers: list[Layer], places: paths.Paths) -> tuple[Layer, list[Fault]]:
    named = [layer["general.profile"] for layer in layers if "general.profile" in layer]
    if not named or not named[-1].value:
        return {}, []
    asked = named[-1]
    file = profile_file(str(asked.value), places)
    if file is None:
        known = ", ".join(profile_names(places))
        message = f"general.profile: there is no profile `{asked.value}`"
        return {}, [Fault(path=asked.path, line=asked.line, message=message, hint=f"known: {known}")]
    layer, faults = yaml_file.read(
        file.read_text(encoding="utf-8"), path=file, kind=f"profile {file.name}", is_section=_is_section
    )
    if "general.profile" in layer:
        setting = layer.pop("general.profile")
        message = "general.profile: a profile cannot name another one"
        faults.append(Fault(path=setting.path, line=setting.line, message=message))
    return {
        name: Setting(value=each.value, source=f"profile {file.name}", path=each.path, line=each.line)
        for name, each in layer.items()
    }, faults


def profile_file(name: str, places: paths.Paths) -> Path | None:
    """The user's own profile before the shipped one of the same name; then `name` as a path."""
    short = name if name.endswith(".yaml") else f"{name}.yaml"
    candidates = [places.profiles / short, PROFILES / short, Path(name).expanduser()]
    return next((file for file in candidates if file.is_file()), None)


# --- values ---


def _validate(chosen: Layer, environ: Mapping[str, str]) -> tuple[Config | None, list[Fault]]:
    """Lay `chosen` over the defaults and check types and limits."""
    values: dict[str, Any] = {}
    for name, key in keys.keys(Config).items():
        place(values, name, _expanded(chosen[name].value, environ) if name in chosen else key.default)
    try:
        return Config.model_validate(values), []
    except ValidationError as error:
        return None, fault_texts.wrong(error.errors(include_url=False), chosen, Config)


def place(values: dict[str, Any], dotted: str, value: Any) -> None:
    """Put `value` at `dotted` into nested `values`."""
    *parents, last = dotted.split(".")
    for part in parents:
        values = values.setdefault(part, {})
    values[last] = value


def _expanded(value: Any, environ: Mapping[str, str]) -> Any:
    """`~` and `$NAME` at the start of a text are a home folder and a variable; an unset variable stays as it is."""
    if isinstance(value, str) and (value == "~" or value.startswith(("~/", "$"))):
        head, slash, rest = value.partition("/")
        variable = head.removeprefix("$").strip("{}")
        known = os.path.expanduser("~") if head == "~" else environ.get(variable, head)  # noqa: PTH111
        return known + slash + rest
    return value
