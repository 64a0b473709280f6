"""The keys of a settings model, flat: `training.seed` with its type, default and docstring."""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Union

import yaml
from pydantic import BaseModel, SecretStr


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One setting. `name` is dotted; `default` is what stands in `owner`, the model that has it."""

    name: str
    annotation: Any
    default: Any
    owner: type[BaseModel]

    @property
    def doc(self) -> str:
        """The setting's docstring; read when it is wanted, since most commands show none."""
        return _doc_of(self.owner, self.name.rpartition(".")[2])

    @property
    def members(self) -> tuple[Any, ...]:
        """The types that the value may have; a union is taken apart."""
        if typing.get_origin(self.annotation) in (Union, types.UnionType):
            return typing.get_args(self.annotation)
        return (self.annotation,)

    @property
    def secret(self) -> bool:
        """Whether the value must not be shown."""
        return SecretStr in self.members


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A settings model inside a settings model, `owner`: dotted name, keys and sections inside in file order."""

    name: str
    model: type[BaseModel]
    children: tuple[Key | Section, ...]
    owner: type[BaseModel] | None = None

    @property
    def doc(self) -> str:
        """What the owner says of this section, else the docstring of its model."""
        said = _doc_of(self.owner, self.name.rpartition(".")[2]) if self.owner else ""
        return said or inspect.cleandoc(self.model.__doc__ or "")


@functools.cache
def tree(model: type[BaseModel]) -> Section:
    """Every key of `model` with the defaults of a fresh instance."""
    return _section("", model())


def _section(name: str, instance: BaseModel, owner: type[BaseModel] | None = None) -> Section:
    model = type(instance)
    children: list[Key | Section] = []
    for field, info in model.model_fields.items():
        value = getattr(instance, field)
        dotted = f"{name}.{field}" if name else field
        if isinstance(value, BaseModel):
            children.append(_section(dotted, value, model))
        else:
            children.append(Key(name=dotted, annotation=info.annotation, default=value, owner=model))
    return Section(name=name, model=model, children=tuple(children), owner=owner)


def _doc_of(owner: type[BaseModel], field: str) -> str:
    return owner.model_fields[field].description or field_docs(owner).get(field, "")


@functools.cache
def keys(model: type[BaseModel]) -> Mapping[str, Key]:
    """Every key of `model` by its dotted name, in file order."""
    return {key.name: key for key in _walk(tree(model)) if isinstance(key, Key)}


@functools.cache
def sections(model: type[BaseModel]) -> frozenset[str]:
    """Dotted names of the sections of `model`."""
    return frozenset(part.name for part in _walk(tree(model)) if isinstance(part, Section) and part.name)


def _walk(section: Section) -> Iterator[Key | Section]:
    for child in section.children:
        yield child
        if isinstance(child, Section):
            yield from _walk(child)


@functools.cache
def field_docs(model: type[BaseModel]) -> dict[str, str]:
    """The string literal under each field of `model`, read from its source code."""
    found: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if not issubclass(owner, BaseModel) or owner is BaseModel:
            continue
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
        assert isinstance(definition, ast.ClassDef)
        for field, text in pairwise(definition.body):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(text, ast.Expr)
                and isinstance(text.value, ast.Constant)
                and isinstance(text.value.value, str)
            ):
                found[field.target.id] = " ".join(text.value.value.split())
    return found


def from_text(key: Key, text: str) -> Any:
    """What `text`, typed on a command line or put into the environment, means for `key`.

    Text keys take it as it is; lists may be written as `a,b` or as YAML; the rest is left to validation.
    """
    members = key.members
    if type(None) in members and text in ("", "null"):
        return None
    if any(_is_container(member) for member in members):
        if text[:1] in "[{" or "{" in text:
            try:
                return yaml.safe_load(text)
            except yaml.YAMLError:
                return text
        return [part.strip() for part in text.split(",") if part.strip()]
    if str in members and len(members) > 1:
        return _scalar_of(members, text)
    return text


def _is_container(member: Any) -> bool:
    return (typing.get_origin(member) or member) in (list, tuple, set, frozenset, dict)


def _scalar_of(members: tuple[Any, ...], text: str) -> Any:
    """`text` as the number or truth value that it spells, where one is allowed beside text."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    return value if type(value) in members else text


def plain(value: Any) -> Any:
    """`value` as YAML and JSON can hold it; secrets are shown as they are, so mask them before."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, BaseModel):
        return {name: plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(each) for each in value]
    return str(value) if isinstance(value, Path) else value


def value_of(model: BaseModel, dotted: str) -> Any:
    """The value that `dotted` names in `model`."""
    found: Any = model
    for part in dotted.split("."):
        found = getattr(found, part)
    return found
