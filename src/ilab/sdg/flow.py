"""Parse a flow: a YAML file that names, for each kind of leaf, the paths of blocks that its rows go through.

version: "1.0"
knowledge:                 # also grounded_skill, freeform_skill
  facts:                   # a path; its name becomes the `origin` of the samples
    - block: spans
    - block: questions
      shapes: [plain, keywords]
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError, field_validator

from ilab.errors import Fault, UserFileError
from ilab.sdg.blocks import base

_PACKAGE = "ilab.sdg"


class BlockSpec(BaseModel, extra="allow", frozen=True):
    """One step: the block's name and its options."""

    block: str

    @property
    def options(self) -> dict[str, Any]:
        """Everything in the step but the block's name."""
        return dict(self.model_extra or {})

    @field_validator("block")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in base.BLOCKS:
            raise ValueError(f"unknown block `{name}`; there are {', '.join(sorted(base.BLOCKS))}")
        return name


Path_ = dict[str, list[BlockSpec]]


class Flow(BaseModel, extra="forbid", frozen=True):
    """The paths of each kind of leaf."""

    version: str
    knowledge: Path_ = {}
    grounded_skill: Path_ = {}
    freeform_skill: Path_ = {}

    @field_validator("version")
    @classmethod
    def _supported(cls, version: str) -> str:
        if version.split(".")[0] != "1":
            raise ValueError(f"flow version {version} is not supported; this ilab reads 1.x")
        return version

    def paths(self, kind: str) -> Path_:
        """The paths for leaves of `kind`."""
        found: Path_ = getattr(self, kind)
        return found


def shipped() -> list[str]:
    """Names of the shipped flows."""
    folder = resources.files(_PACKAGE).joinpath("flows")
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load(name: str) -> Flow:
    """The shipped flow `name`, or the flow in the YAML file at that path. All faults at once."""
    path = Path(name).expanduser()
    if name in shipped():
        label, text = f"{name}.yaml", resources.files(_PACKAGE).joinpath(f"flows/{name}.yaml").read_text("utf-8")
    elif path.is_file():
        label, text = str(path), path.read_text("utf-8")
    else:
        fault = Fault(path=name, message="no such flow", hint=f"shipped flows: {', '.join(shipped())}")
        raise UserFileError(f"no flow named `{name}`", [fault])
    try:
        return Flow.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 0
        raise UserFileError(f"{label} is not YAML", [Fault(path=label, line=line, message=str(error))]) from error
    except ValidationError as error:
        faults = [
            Fault(path=label, message=f"{'.'.join(map(str, item['loc']))}: {item['msg']}") for item in error.errors()
        ]
        raise UserFileError(f"{label} is not a valid flow", faults) from error


def prompt(name: str) -> dict[str, Any]:
    """A shipped prompt: system, examples, template, and how to decode and parse the answer."""
    text = resources.files(_PACKAGE).joinpath(f"prompts/{name}.yaml").read_text("utf-8")
    content: dict[str, Any] = yaml.safe_load(text)
    return content
