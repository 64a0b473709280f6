"""Settings out of the environment: `ILAB_TRAINING__SEED=3` is `training.seed`.

Room and key are joined by two underscores. Any other variable that begins with `ILAB_` is a fault, as an unknown key of
a file is: a misspelt setting must not be ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ilab.config import faults as fault_texts
from ilab.config import keys
from ilab.config.schema import Config
from ilab.config.yaml_file import Setting
from ilab.errors import Fault

PREFIX = "ILAB_"
_READ_ELSEWHERE = ("home", "chat_api_key", "vllm_python")
_OURS = ("ILAB_RUN_ID", "ILAB_UPDATE_HELP")
"""Set by our own programs and tests, never by a user; beside them everything that begins with `ILAB_TEST_`."""

_SERVICE_LINK = re.compile(r"_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)$")
"""What Kubernetes sets in every container of a namespace that has a service called `ilab` or `ilab-...`."""


def layer(environ: Mapping[str, str]) -> tuple[dict[str, Setting], list[Fault]]:
    """The settings in `environ`, and a fault for each `ILAB_` variable that is none and means nothing else."""
    settings: dict[str, Setting] = {}
    faults = []
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or _is_read_elsewhere(variable):
            continue
        name = _name_of(variable)
        key = keys.keys(Config).get(name)
        if key is not None:
            source = f"environment {variable}"
            settings[name] = Setting(value=keys.from_text(key, text), source=source, path=variable)
        elif not _is_service_link(variable, text):
            faults.append(_unknown(variable, name))
    return settings, faults


def without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` less everything that could be a setting; the folders stay where they are."""
    return {name: text for name, text in environ.items() if not name.startswith(PREFIX) or name == variable_of("home")}


def variable_of(name: str) -> str:
    """The variable that stands for the setting `name`."""
    return PREFIX + name.upper().replace(".", "__")


def _name_of(variable: str) -> str:
    return variable.removeprefix(PREFIX).lower().replace("__", ".")


def _is_read_elsewhere(variable: str) -> bool:
    return variable in _OURS or variable.startswith("ILAB_TEST_") or _name_of(variable) in _READ_ELSEWHERE


def _is_service_link(variable: str, text: str) -> bool:
    return bool(_SERVICE_LINK.search(variable)) or text.startswith(("tcp://", "udp://"))


def _unknown(variable: str, name: str) -> Fault:
    meant = fault_texts.closest(name, [*keys.keys(Config), *_READ_ELSEWHERE])
    hint = f"did you mean `{variable_of(meant)}`?" if meant else "a setting is spelled ILAB_<ROOM>__<KEY>"
    return Fault(path=variable, message="there is no such variable", hint=hint)
