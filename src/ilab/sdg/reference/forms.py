"""What may stand in a pipeline file: the blocks of the reference and their options."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

Columns = list[str]


class Form(BaseModel):
    """A mapping of the file. An option with no value counts as not given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _given(cls, value: Any) -> Any:
        return {key: one for key, one in value.items() if one is not None} if isinstance(value, dict) else value


class GenKwargs(Form):
    """How the teacher decodes. The defaults are the reference's."""

    model: str = ""
    max_tokens: int = Field(4096, ge=1)
    temperature: float = Field(0.0, ge=0, le=2)
    top_p: float = Field(1.0, gt=0, le=1)
    n: int | Literal["scaled"] = 1
    seed: int | None = None
    stop: list[str] = []
    extra_body: dict[str, Any] = {}

    @field_validator("stop", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("n")
    @classmethod
    def _at_least_one(cls, value: int | str) -> int | str:
        if isinstance(value, int) and value < 1:
            raise ValueError("`n` is the number of answers, 1 or more, or `scaled`")
        return value


class ParserKwargs(Form):
    """How an answer is read where tags do not do."""

    parser_name: Literal["custom", ""] = ""
    parsing_pattern: str = ""
    parser_cleanup_tags: list[str] = []


class BatchKwargs(Form):
    """Of these, only the number of samples that a prompt asks for matters here."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    num_samples: int | None = None


class Asking(Form):
    """What blocks with a prompt have in common."""

    output_cols: Columns = Field(min_length=1)
    model_id: str = ""
    model_family: str = ""
    model_prompt: str | None = None
    gen_kwargs: GenKwargs = GenKwargs()
    parser_kwargs: ParserKwargs = ParserKwargs()
    batch_kwargs: BatchKwargs = BatchKwargs()


class LLMBlock(Asking):
    """One prompt for all rows."""

    config_path: str


class ConditionalLLMBlock(Asking):
    """A prompt for each value of a column; the single value `All` takes any."""

    config_paths: list[tuple[str, str]] = Field(min_length=1)
    selector_column_name: str


class LLMMessagesBlock(Form):
    """The conversation stands in a column."""

    input_col: str
    output_col: str
    model_id: str = ""
    gen_kwargs: GenKwargs = GenKwargs()


class FilterByValueBlock(Form):
    """Keep rows by the value of a column."""

    filter_column: str
    filter_value: Any
    operation: Literal["eq", "ne", "gt", "ge", "lt", "le", "contains"]
    convert_dtype: Literal["int", "float", "bool", ""] = ""
    default_value: str | int | float | bool | None = None

    @field_validator("operation", mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return value.removeprefix("operator.") if isinstance(value, str) else value

    @field_validator("filter_value")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        if not all(isinstance(one, str | int | float) for one in (value if isinstance(value, list) else [value])):
            raise ValueError("`filter_value` is a text, a number, true or false, or a list of these")
        return value


class IterBlock(Form):
    """Another block, several times over the same rows; the options beside these two are that block's."""

    model_config = ConfigDict(extra="allow", frozen=True)

    num_iters: int = Field(ge=1)
    block_type: str

    @property
    def inner(self) -> dict[str, Any]:
        """The options of the block that is repeated."""
        return dict(self.model_extra or {})


class SamplePopulatorBlock(Form):
    """Add the entries of the file that a column names."""

    config_paths: list[str] = Field(min_length=1)
    column_name: str
    post_fix: str = ""


class SelectorBlock(Form):
    """Copy one of several columns; another column says which."""

    choice_map: dict[str, str] = Field(min_length=1)
    choice_col: str
    output_col: str


class CombineColumnsBlock(Form):
    """Join columns to one text."""

    columns: Columns = Field(min_length=1)
    output_col: str
    separator: str = "\n\n"


class FlattenColumnsBlock(Form):
    """One row for each of several columns."""

    var_cols: Columns = Field(min_length=1)
    value_name: str
    var_name: str


class ColumnsMap(Form):
    """Old name -> new name."""

    columns_map: dict[str, str] = Field(min_length=1)


class SetToMajorityValueBlock(Form):
    """Give all rows of a document the commonest value of a column."""

    col_name: str


TYPES: dict[str, type[Form]] = {
    "LLMBlock": LLMBlock,
    "ConditionalLLMBlock": ConditionalLLMBlock,
    "LLMMessagesBlock": LLMMessagesBlock,
    "FilterByValueBlock": FilterByValueBlock,
    "IterBlock": IterBlock,
    "SamplePopulatorBlock": SamplePopulatorBlock,
    "SelectorBlock": SelectorBlock,
    "CombineColumnsBlock": CombineColumnsBlock,
    "FlattenColumnsBlock": FlattenColumnsBlock,
    "DuplicateColumnsBlock": ColumnsMap,
    "RenameColumnsBlock": ColumnsMap,
    "SetToMajorityValueBlock": SetToMajorityValueBlock,
}
"""Type of block -> its options."""


class Step(Form):
    """One block of a pipeline."""

    name: str
    type: str
    config: dict[str, Any] = {}
    drop_columns: Columns = []
    drop_duplicates: Columns = []


class DataMixing(Form):
    """Kind of document that the pipeline makes -> how a user would ask for it."""

    auxiliary_instructions: dict[str, list[str]] = {}


class Pipeline(Form):
    """A pipeline file."""

    version: str
    blocks: list[Step] = Field(min_length=1)
    datamixing: DataMixing = DataMixing()

    @field_validator("version", mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int | float) else value

    @field_validator("version")
    @classmethod
    def _supported(cls, value: str) -> str:
        if value.split(".")[0] != "1":
            raise ValueError(f"version {value} is not supported; this ilab reads pipelines of version 1.x")
        return value


class Prompt(Form):
    """A prompt file. Keys that are not named here are not used."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    system: str = ""
    introduction: str = ""
    principles: str = ""
    examples: str = ""
    generation: str = ""
    start_tags: list[str] = []
    end_tags: list[str] = []

    @property
    def template(self) -> str:
        """The parts, in the order in which the reference joins them."""
        return "\n".join((self.system, self.introduction, self.principles, self.examples, self.generation))


def complaints(error: ValidationError, form: type[BaseModel]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Where and what is wrong, for each finding."""
    for item in error.errors():
        place, name = item["loc"], str(item["loc"][-1]) if item["loc"] else ""
        if item["type"] == "extra_forbidden":
            known = ", ".join(sorted(form.model_fields)) if len(place) == 1 else ""
            yield place, f"unknown option `{name}`" + (f"; there are {known}" if known else "")
        elif item["type"] == "missing":
            yield place, f"`{name}` is missing"
        else:
            what = ".".join(map(str, place))
            yield place, f"{what}: {item['msg'].removeprefix('Value error, ')}" if what else item["msg"]
