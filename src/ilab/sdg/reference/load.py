"""Make the paths of a flow out of a folder in the format of the reference. All faults of all files at once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ilab.errors import Fault, UserFileError
from ilab.records import seeds
from ilab.records.samples import AUXILIARY
from ilab.sdg.reference import forms, source, templates
from ilab.sdg.reference.source import Source

FILES = {
    seeds.KNOWLEDGE: "knowledge.yaml",
    seeds.GROUNDED_SKILL: "grounded_skills.yaml",
    seeds.FREEFORM_SKILL: "freeform_skills.yaml",
}
"""Kind of leaf -> its pipeline file."""
BLOCK = "reference"
"""The block of our flows that does a step of such a pipeline."""
PATH = "pipeline"
"""The path of questions and answers; that of documents made on the way is `AUXILIARY`. Paths name samples' origins."""
_KIND_OF_DOCUMENT = "dataset_type"
_WITHOUT_TEACHER = frozenset(forms.TYPES) - {"LLMBlock", "ConditionalLLMBlock", "LLMMessagesBlock", "IterBlock"}

Steps = list[dict[str, Any]]
Where = tuple[str | int, ...]


def find(name: str, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The folder `name`, or the pipeline of that name below the data folders where the reference keeps its own."""
    if not name:
        return None
    if (folder := Path(name).expanduser()).is_dir():
        return folder
    if Path(name).is_absolute():
        return None
    home = environ.get("XDG_DATA_HOME") or str(Path("~/.local/share").expanduser())
    shared = environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    places = [Path(place) / "instructlab/sdg/pipelines" / name for place in [home, *shared.split(":")] if place]
    return next((place for place in places if place.is_dir()), None)


def load(folder: Path) -> dict[str, Any]:
    """The content of a flow: the paths for each kind of leaf. Raises `UserFileError`."""
    faults: list[Fault] = []
    content: dict[str, Any] = {"version": "1.0"}
    for kind, name in FILES.items():
        content[kind] = _Reader(folder / name, kind, faults).paths()
    if faults:
        raise UserFileError(f"{folder} is not a valid pipeline", faults)
    return content


class _Reader:
    """Reads one pipeline file and the files that it names; puts what is wrong into `faults`."""

    def __init__(self, path: Path, kind: str, faults: list[Fault]) -> None:
        self._path = path
        self._kind = kind
        self._faults = faults
        self._notes: dict[str, None] = {}
        self._source = Source(str(path), None, None)

    def paths(self) -> dict[str, Steps]:
        """The steps: rows as the pipeline expects them, its blocks, question and answer out of its columns.

        The documents that it makes on its way are samples too, where it says how one asks for them.
        """
        pipeline = self._pipeline()
        if pipeline is None:
            return {}
        made = [step for number, block in enumerate(pipeline.blocks) for step in self._step(block, number)]
        first: dict[str, Any] = {"block": BLOCK, "type": "Rows", "name": "rows"}
        last = {"block": BLOCK, "type": "Samples", "name": "samples"}
        notes = {"notes": list(self._notes)} if self._notes else {}
        found = {PATH: [first | notes, *made, last, {"block": "distinct", "scope": "run"}]}
        instructions = pipeline.datamixing.auxiliary_instructions
        documents = _making_documents(made) if self._kind == seeds.KNOWLEDGE and instructions else []
        if documents:
            ask = {"block": BLOCK, "type": "Documents", "name": "documents", "instructions": instructions}
            found[AUXILIARY] = [first, *documents, ask]
        return found

    def _pipeline(self) -> forms.Pipeline | None:
        found = source.read(self._path)
        if isinstance(found, Fault):
            self._faults.append(found)
            return None
        self._source = found
        if not isinstance(found.content, dict):
            self._fault("expected `version` and `blocks`")
            return None
        try:
            pipeline = forms.Pipeline.model_validate(found.content)
        except ValidationError as error:
            self._faults += [found.fault(what, *place) for place, what in forms.complaints(error, forms.Pipeline)]
            return None
        if pipeline.version not in ("1", "1.0"):
            self._note(f"{self._path.name} is of version {pipeline.version}; what came after 1.0 is not known here")
        return pipeline

    def _step(self, block: forms.Step, number: int) -> Iterator[dict[str, Any]]:
        after = {"drop_columns": block.drop_columns, "drop_duplicates": block.drop_duplicates}
        options = self._options(block.name, block.type, block.config, ("blocks", number))
        if options is not None:
            yield {
                "block": BLOCK,
                "name": block.name,
                **options,
                **{name: value for name, value in after.items() if value},
            }

    def _options(self, name: str, kind: str, config: dict[str, Any], where: Where) -> dict[str, Any] | None:
        """What the block function needs to know, in plain data; None when something is wrong."""
        if kind == "LLMLogProbBlock":
            hint = "leave the block out, or ask for a score with an LLMBlock"
            self._fault(
                f"`{name}`: the reference has no more than the name of LLMLogProbBlock", *where, "type", hint=hint
            )
            return None
        if kind not in forms.TYPES:
            known = ", ".join(sorted(forms.TYPES))
            self._fault(f"`{name}`: unknown type of block `{kind}`; there are {known}", *where, "type")
            return None
        form = forms.TYPES[kind]
        try:
            block = form.model_validate(config)
        except ValidationError as error:
            for place, what in forms.complaints(error, form):
                self._fault(f"`{name}`: {what}", *where, "config", *place)
            return None
        if isinstance(block, forms.IterBlock):
            inner = self._options(name, block.block_type, block.inner, where)
            return inner and {"type": kind, "times": block.num_iters, "inner": {"name": name, **inner}}
        if isinstance(block, forms.LLMBlock):
            prompts = self._prompts(name, {"": block.config_path}, block, (*where, "config", "config_path"))
            return None if prompts is None else {"type": kind, "prompts": prompts, **self._asking(name, block)}
        if isinstance(block, forms.ConditionalLLMBlock):
            paths = {value: path for path, value in block.config_paths}
            one = {"": paths["All"]} if list(paths) == ["All"] else paths
            prompts = self._prompts(name, one, block, (*where, "config", "config_paths"))
            column = {} if "" in one else {"column": block.selector_column_name}
            rest = {**column, **self._asking(name, block)}
            return None if prompts is None else {"type": kind, "prompts": prompts, **rest}
        if isinstance(block, forms.LLMMessagesBlock):
            generation = self._generation(name, block.gen_kwargs, block.model_id)
            return {"type": kind, "input": block.input_col, "output": block.output_col, **generation}
        if isinstance(block, forms.SamplePopulatorBlock):
            entries = self._entries(name, block, (*where, "config", "config_paths"))
            return {"type": kind, "column": block.column_name, "entries": entries}
        return {"type": kind, **block.model_dump()}

    def _asking(self, name: str, block: forms.Asking) -> dict[str, Any]:
        """How to ask, and how to read the answer, but for the tags, which stand with each prompt."""
        if block.model_prompt is not None:
            self._note(
                f"`{name}` of {self._path.name} brings its own frame for the prompt (model_prompt); the teacher gets "
                "the prompt as one user message, in the frame of its own chat template"
            )
        custom = block.parser_kwargs.parser_name == "custom"
        found: dict[str, Any] = {
            "output": block.output_cols,
            **self._generation(name, block.gen_kwargs, block.model_id),
        }
        if custom:
            found["pattern"] = block.parser_kwargs.parsing_pattern
            found["cleanup"] = block.parser_kwargs.parser_cleanup_tags
        if block.batch_kwargs.num_samples is not None:
            found["num_samples"] = block.batch_kwargs.num_samples
        return found

    def _generation(self, name: str, own: forms.GenKwargs, model: str) -> dict[str, Any]:
        if own.extra_body:
            keys = ", ".join(f"`{key}`" for key in own.extra_body)
            self._note(f"`{name}` of {self._path.name}: extra_body ({keys}) is not sent to the teacher")
        if own.n != 1 and not own.temperature:
            self._note(
                f"`{name}` of {self._path.name} wants several answers at temperature 0; sdg.temperature is taken"
            )
        found = own.model_dump(exclude={"model", "extra_body"}, exclude_defaults=True)
        adapter = model or own.model
        if adapter:
            self._note(
                f"`{name}` of {self._path.name} names the model `{adapter}`: it answers if it is one of "
                "models.teacher_adapters, else the teacher does"
            )
        return {"decode": found, **({"adapter": adapter} if adapter else {})}

    def _prompts(
        self, name: str, paths: Mapping[str, str], block: forms.Asking, where: Where
    ) -> dict[str, dict[str, Any]] | None:
        """Value of the column -> the template and the tags of its answer."""
        custom = block.parser_kwargs.parser_name == "custom"
        wrong = _pattern_fault(block) if custom else ""
        if wrong:
            self._fault(f"`{name}`: {wrong}", *where[:-1], "parser_kwargs", "parsing_pattern")
        found = {}
        for value, path in paths.items():
            prompt = self._prompt(name, path, where)
            if prompt is None:
                continue
            tags = list(zip(prompt.start_tags, prompt.end_tags, strict=False))
            if not custom and (complaint := _tag_fault(prompt, block.output_cols)):
                self._fault(f"`{name}`: {path}: {complaint}", *where)
            shown = {"template": prompt.template} | ({} if custom else {"tags": tags[: len(block.output_cols)]})
            found[value] = shown
        return found if len(found) == len(paths) and not wrong else None

    def _prompt(self, name: str, path: str, where: Where) -> forms.Prompt | None:
        content = self._file(name, path, where)
        if content is None:
            return None
        try:
            prompt = forms.Prompt.model_validate(content.content)
        except ValidationError as error:
            self._faults += [content.fault(what, *place) for place, what in forms.complaints(error, forms.Prompt)]
            return None
        if not prompt.template.strip():
            self._faults.append(content.fault("the prompt is empty", hint="write what is asked under `generation`"))
            return None
        if wrong := templates.syntax_fault(prompt.template):
            self._faults.append(content.fault(wrong))
            return None
        return prompt

    def _entries(self, name: str, block: forms.SamplePopulatorBlock, where: Where) -> dict[str, dict[str, Any]]:
        found = {}
        for path in block.config_paths:
            there = path.replace(".yaml", f"_{block.post_fix}.yaml") if block.post_fix else path
            content = self._file(name, there, where)
            if content is not None:
                found[Path(path).name.split(".")[0]] = dict(content.content)
        return found

    def _file(self, name: str, path: str, where: Where) -> Source | None:
        """The mapping in the file that a block names; the path is seen from the pipeline file."""
        found = source.read(self._path.parent / Path(path).expanduser())
        if isinstance(found, Fault):
            if not found.line:
                self._fault(f"`{name}`: {path}: {found.message}", *where)
            else:
                self._faults.append(found)
            return None
        if not isinstance(found.content, dict):
            self._faults.append(found.fault("expected names and their texts"))
            return None
        return found

    def _fault(self, message: str, *where: str | int, hint: str = "") -> None:
        self._faults.append(self._source.fault(message, *where, hint=hint))

    def _note(self, text: str) -> None:
        self._notes[text] = None


def _making_documents(steps: Steps) -> Steps:
    """The steps until each document has a row of its own, under its kind; none where a pipeline does not do that.

    What these steps ask is asked for the questions too, and so costs nothing more.
    """
    places = [at for at, step in enumerate(steps) if step.get("var_name") == _KIND_OF_DOCUMENT]
    if not places:
        return []
    end = places[0] + 1
    while end < len(steps) and steps[end]["type"] in _WITHOUT_TEACHER:
        end += 1
    return steps[:end]


def _pattern_fault(block: forms.Asking) -> str:
    """What is wrong with the pattern of a custom parser; empty if nothing is."""
    pattern = block.parser_kwargs.parsing_pattern
    if not pattern:
        return "`parser_name: custom` needs a `parsing_pattern`"
    try:
        groups = re.compile(pattern, re.DOTALL).groups
    except (re.error, OverflowError) as error:
        return f"`parsing_pattern` is not a regular expression: {error}"
    columns = len(block.output_cols)
    if max(1, groups) < columns:
        return f"`parsing_pattern` has {groups} groups for {columns} output_cols"
    return ""


def _tag_fault(prompt: forms.Prompt, columns: Sequence[str]) -> str:
    """What is wrong with the tags of a prompt; empty if nothing is."""
    pairs = list(zip(prompt.start_tags, prompt.end_tags, strict=False))
    if len(pairs) < len(columns):
        return f"{len(pairs)} pairs of start_tags and end_tags for {len(columns)} output_cols"
    starts = [start.strip().casefold() for start, _ in pairs[: len(columns)] if start.strip()]
    if len(set(starts)) < len(starts):
        return "two columns have the same start tag"
    return ""
