"""Parse a flow: a YAML file that names, for each kind of leaf, the paths of blocks that its rows go through.

version: "1.0"
knowledge:                 # also grounded_skill, freeform_skill, and the sections below
  facts:                   # a path; its name becomes the `origin` of the samples
    - block: spans
    - block: questions
      shapes: [plain, keywords]

Three more sections are about the documents of knowledge: `cross_chunk` has rows whose text joins two related chunks,
`gaps` has chunks with sentences of which the other paths made no question, `mmlu` makes questions with choices, which
test and never train. A `distinct` with `scope: run` compares the rows of all units; what comes after it works on each
row by itself, or on bundles of drafts that always come together.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError, field_validator, model_validator

from ilab.errors import Fault, UserFileError
from ilab.sdg.blocks import base
from ilab.sdg.blocks import options as block_options
from ilab.sdg.reference import load as reference

_PACKAGE = "ilab.sdg"
CROSS_CHUNK, GAPS, MMLU = "cross_chunk", "gaps", "mmlu"
"""The sections that are no kind of leaf."""


class BlockSpec(BaseModel, extra="allow", frozen=True):
    """One step: the block's name and its options."""

    block: str

    @property
    def options(self) -> dict[str, Any]:
        """Everything in the step but the block's name."""
        return dict(self.model_extra or {})

    @property
    def compares_run(self) -> bool:
        """Whether this is the point at which the rows of all units are compared."""
        return self.block == "distinct" and self.options.get("scope") == "run"

    @field_validator("block")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in base.BLOCKS:
            raise ValueError(f"unknown block `{name}`; there are {', '.join(sorted(base.BLOCKS))}")
        return name

    @model_validator(mode="after")
    def _well_used(self) -> BlockSpec:
        if fault := block_options.fault(self.block, self.options):
            raise ValueError(fault)
        return self


Path_ = dict[str, list[BlockSpec]]


class Flow(BaseModel, extra="forbid", frozen=True):
    """The paths of each kind of leaf."""

    version: str
    knowledge: Path_ = {}
    grounded_skill: Path_ = {}
    freeform_skill: Path_ = {}
    cross_chunk: Path_ = {}
    gaps: Path_ = {}
    mmlu: Path_ = {}

    @field_validator("version")
    @classmethod
    def _supported(cls, version: str) -> str:
        if version.split(".")[0] != "1":
            raise ValueError(f"flow version {version} is not supported; this ilab reads 1.x")
        return version

    @field_validator("knowledge", "grounded_skill", "freeform_skill", "cross_chunk", "gaps", "mmlu")
    @classmethod
    def _in_order(cls, paths: Path_) -> Path_:
        for name, steps in paths.items():
            if not steps:
                raise ValueError(f"path `{name}` has no blocks")
            if sum(spec.compares_run for spec in steps) > 1:
                raise ValueError(f"path `{name}` has two blocks `distinct` with `scope: run`; the second finds nothing")
            cut = next((n for n, spec in enumerate(steps) if spec.compares_run), len(steps))
            for spec in steps[cut + 1 :]:
                if spec.block == "distinct" or spec.options.get("per") == "fact":
                    raise ValueError(
                        f"path `{name}`: `{spec.block}` compares rows; it must come before `distinct` with `scope: run`"
                    )
        return paths

    @property
    def compares(self) -> bool:
        """Whether rows of all units are compared on any path."""
        sections = (self.knowledge, self.grounded_skill, self.freeform_skill, self.cross_chunk, self.gaps, self.mmlu)
        return any(spec.compares_run for paths in sections for steps in paths.values() for spec in steps)

    def paths(self, kind: str) -> Path_:
        """The paths for leaves of `kind`, or those of a section that is no kind of leaf."""
        found: Path_ = getattr(self, kind)
        return found

    @property
    def notes(self) -> list[str]:
        """What the user should know about how the files of a pipeline of the reference are read here."""
        sections = [section for section in vars(self).values() if isinstance(section, dict)]
        steps = [step for paths in sections for path in paths.values() for step in path]
        return list(dict.fromkeys(note for step in steps for note in step.options.get("notes", [])))


def shipped() -> list[str]:
    """Names of the shipped flows."""
    folder = resources.files(_PACKAGE).joinpath("flows")
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load(name: str) -> Flow:
    """The shipped flow `name`, the flow in the YAML file at that path, or the pipeline of the reference in that folder.

    A name that is none of these is looked up where the reference keeps its pipelines. All faults at once.
    """
    path = _place(name)
    if name in shipped():
        label, text = f"{name}.yaml", resources.files(_PACKAGE).joinpath(f"flows/{name}.yaml").read_text("utf-8")
    elif path is not None and path.is_file():
        label, text = str(path), _text(path)
    elif path is not None and (folder := reference.find(name)) is not None:
        # The reference makes the questions of its MMLU task with a pipeline that no folder brings along.
        return Flow.model_validate({**reference.load(folder), MMLU: load("full").mmlu})
    else:
        hint = f"shipped flows: {', '.join(shipped())}; a YAML file or a folder with a pipeline is named by its path"
        raise UserFileError(f"no flow named `{name}`", [Fault(path=name, message="no such flow", hint=hint)])
    try:
        content = yaml.safe_load(text)
        _no_pipeline(content, label)
        return Flow.model_validate(content)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 0
        raise UserFileError(f"{label} is not YAML", [Fault(path=label, line=line, message=str(error))]) from error
    except ValidationError as error:
        faults = [Fault(path=label, message=_message(item["loc"], item["msg"])) for item in error.errors()]
        raise UserFileError(f"{label} is not a valid flow", faults) from error


def _place(name: str) -> Path | None:
    """The path that `name` may be; None where there can be none, as in the home of somebody unknown."""
    try:
        path = Path(name).expanduser()
        path.exists()  # a name that is too long for the disk raises here
    except (OSError, RuntimeError):
        return None
    return path


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserFileError(f"{path} cannot be read", [Fault(path=str(path), message=str(error))]) from error


def _message(place: Sequence[str | int], message: str) -> str:
    """A fault as the user reads it: where in the flow, and what."""
    where, told = ".".join(map(str, place)), message.removeprefix("Value error, ")
    if not where:
        return "a flow is a mapping of sections to paths: `knowledge:`, `freeform_skill:` and so on"
    return f"{where}: {told.replace('valid dictionary or instance of BlockSpec', 'mapping that begins with `block:`')}"


def _no_pipeline(content: Any, label: str) -> None:
    """Raise `UserFileError` for what is a file of the reference, or a step that only such a file makes."""
    if isinstance(content, dict) and "blocks" in content:
        hint = f"name the folder that it lies in: {', '.join(sorted(reference.FILES.values()))} belong together"
        fault = Fault(path=label, message="this is one file of a pipeline", hint=hint)
        raise UserFileError(f"{label} is not a flow", [fault])
    if isinstance(content, dict) and reference.BLOCK in str(content):
        sections = [paths for paths in content.values() if isinstance(paths, dict)]
        steps = [step for paths in sections for path in paths.values() if isinstance(path, list) for step in path]
        if any(isinstance(step, dict) and step.get("block") == reference.BLOCK for step in steps):
            message = f"the block `{reference.BLOCK}` is not written by hand"
            hint = "name the folder of a pipeline instead of a flow"
            raise UserFileError(f"{label} is not a valid flow", [Fault(path=label, message=message, hint=hint)])


def prompt(name: str) -> dict[str, Any]:
    """A shipped prompt: its name, system, examples, template, and how to decode and parse the answer."""
    text = resources.files(_PACKAGE).joinpath(f"prompts/{name}.yaml").read_text("utf-8")
    content: dict[str, Any] = yaml.safe_load(text)
    return {"name": name, **content}
