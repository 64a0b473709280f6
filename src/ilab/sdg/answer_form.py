"""The form of an answer: which columns a record has, how the teacher is told, and how its text is read.

A teacher behind a server that keeps to a JSON schema answers in JSON; any other is asked for tags:

    <question>How deep is the lake?</question>
    <answer>61 metres.</answer>

Both are read whichever was asked for. Columns come in the order in which they are declared, so a tag that is missing
or not closed costs its own record and never shifts a neighbour. A tag inside a value is written `&lt;question>`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from ilab.errors import ConfigError

Kind = Literal["string", "integer", "array of strings"]
Value = str | int | list[str]
Record = dict[str, Value]

ITEMS = "items"
"""The key of the list in JSON with many records."""
_KINDS: tuple[Kind, ...] = ("string", "integer", "array of strings")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_THOUGHT = re.compile(r"^\s*<think>.*?</think>", re.DOTALL)
_FENCE = re.compile(r"^\s*```\w*\s*")
_JSON = re.compile(r'\s*\[?\s*\{\s*"[^"]*"\s*:')
_BULLET = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+")
_NUMBER = re.compile(
    r"^\W*(?:[A-Za-z ]{1,30}[:=]\W*)?(-?\d{1,18})(?:\.0{1,9})?\s*(?:(?:/|out of|of)\s*\d+)?\W*$", re.IGNORECASE
)
"""A number as models write it: `3`, `**3**`, `Score: 3`, `3/3`."""
_LABEL_WORDS = 3
"""Words of the longest label before a value: `Final verdict: YES`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """What one column holds, in words for the teacher; with an `enum`, one of these and nothing else."""

    about: str
    enum: tuple[str, ...] = ()
    type: Kind = "string"


@dataclass(frozen=True, kw_only=True)
class AnswerForm:
    """The columns of a record, and whether an answer holds `many` records or one."""

    columns: dict[str, Column]
    many: bool = False

    def schema(self) -> dict[str, Any]:
        """The JSON schema of the answer: a record, or an object whose `items` are the records."""
        record = _object({name: _schema_of(column) for name, column in self.columns.items()})
        return _object({ITEMS: {"type": "array", "items": record}}) if self.many else record

    def instructions(self, *, structured: bool) -> str:
        """How the answer is to be written: as JSON, or with tags."""
        example: Record = {name: _told(column) for name, column in self.columns.items()}
        if not structured:
            whole = "the records one after the other, each in this form" if self.many else "this form"
            return f"Write {whole}, with every tag closed, and nothing else:\n{self.write([example], structured=False)}"
        record = json.dumps(example, ensure_ascii=False)
        shown = f'{{"{ITEMS}": [{record}, ...]}}' if self.many else record
        return f"Answer with JSON of this form and nothing else:\n{shown}"

    def write(self, records: Sequence[Mapping[str, Value]], *, structured: bool) -> str:
        """`records` as a teacher would write them; `read` gives them back."""
        ordered = [{name: record[name] for name in self.columns} for record in records]
        if structured:
            return json.dumps({ITEMS: ordered} if self.many else ordered[0], ensure_ascii=False)
        return "\n\n".join(
            "\n".join(f"<{name}>{self._escaped(_as_text(value))}</{name}>" for name, value in record.items())
            for record in ordered
        )

    def read(self, text: str) -> list[Record]:
        """The records in a teacher's answer. Those that lack a column, or have a wrong value in one, are left out.

        An answer that should be one record with a choice in it (a column with an `enum`), and has several, is none.
        """
        said = _FENCE.sub("", _THOUGHT.sub("", text, count=1), count=1).strip()
        # What looks like the other form inside a value is part of the value.
        tagged = not _JSON.match(said) and self._tag.search(said)
        found = self._from_tags(said) if tagged else self._from_json(said)
        if self.many or len(found) < 2:
            return found
        decided = [[record[name] for name, column in self.columns.items() if column.enum] for record in found]
        return found[:1] if all(each == decided[0] for each in decided) else []

    def complaint(self, *, cut: bool) -> str:
        """What to tell a teacher whose answer could not be read; `cut` when it did not come to an end."""
        if cut:
            return "Your answer was too long and was cut off. Answer again, shorter, in the form that was asked for."
        named = ", ".join(f"`{name}`" for name in self.columns)
        return f"Your answer could not be read: it must give {named} in the form that was asked for. Answer again."

    @property
    def _decides(self) -> bool:
        """Whether the answer is one record with a choice in it: then a wrong reading is worse than none."""
        return not self.many and any(column.enum for column in self.columns.values())

    # --- JSON ---

    def _from_json(self, text: str) -> list[Record]:
        # JSON that stands between words may be a quotation: the answer begins with it, or ends with it.
        if not _JSON.match(text) and not text.rstrip("`\n ").endswith(("}", "]")):
            return []
        objects = _objects(text, inner=self.many)
        records = [self._checked(_lowered(row)) for value in objects for row in self._rows(value)]
        return [record for record in records if record]

    def _rows(self, value: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The records in an object: it is one, or one of its values is their list, whatever its name."""
        if {name.lower() for name in self.columns} <= set(_lowered(value)):
            yield value
            return
        for rows in value.values():
            if isinstance(rows, list):
                yield from (row for row in rows if isinstance(row, dict))

    # --- tags ---

    @cached_property
    def _named(self) -> str:
        """A pattern of what follows `<` in a tag; the second group is the column."""
        return rf"\s{{0,3}}(/?)\s{{0,3}}({'|'.join(map(re.escape, self.columns))})\s{{0,3}}>"

    @cached_property
    def _tag(self) -> re.Pattern[str]:
        return re.compile(f"<{self._named}", re.IGNORECASE)

    @cached_property
    def _hidden(self) -> re.Pattern[str]:
        """The start of a tag that was escaped, once or more often."""
        return re.compile(rf"&((?:amp;)*)lt;(?={self._named})", re.IGNORECASE)

    def _escaped(self, text: str) -> str:
        deeper = self._hidden.sub(r"&amp;\1lt;", text)
        return self._tag.sub(lambda found: "&lt;" + found[0][1:], deeper)

    def _unescaped(self, text: str) -> str:
        def shallower(found: re.Match[str]) -> str:
            return f"&{found[1].removeprefix('amp;')}lt;" if found[1] else "<"

        return self._hidden.sub(shallower, text)

    def _from_tags(self, text: str) -> list[Record]:
        # One decision has each tag once: a further one was quoted, or smuggled in with a quotation.
        if self._decides and len(self._tag.findall(text)) != 2 * len(self.columns):
            return []
        records: list[dict[str, Any]] = []
        place = {name.lower(): position for position, name in enumerate(self.columns)}
        last = len(place)
        for name, value in self._values(text):
            # A column that is not after the one before it begins a new record.
            if place[name] <= last:
                records.append({})
            records[-1][name] = self._unescaped(value)
            last = place[name]
        return [record for row in records if (record := self._checked(row))]

    def _values(self, text: str) -> Iterator[tuple[str, str]]:
        """Each tag that is closed before any other tag, with what stands in it."""
        tags = list(self._tag.finditer(text))
        for opening, closing in zip(tags, tags[1:], strict=False):
            name = opening[2].lower()
            if not opening[1] and closing[1] and closing[2].lower() == name:
                yield name, text[opening.end() : closing.start()]

    # --- values ---

    def _checked(self, row: Mapping[str, Any]) -> Record:
        """The record in `row`, whose keys are in small letters; empty when a column is missing or wrong."""
        record: Record = {}
        for name, column in self.columns.items():
            value = _value(row.get(name.lower()), column)
            if value is None:
                return {}
            record[name] = value
        return record


def of(columns: Mapping[str, Any], *, many: bool, where: str) -> AnswerForm:
    """The form that a prompt file declares: `name: what it holds`, or `name: {about, enum, type}`.

    Raises `ConfigError` that names `where` when it is no such declaration.
    """
    if not isinstance(columns, Mapping) or not columns:
        raise ConfigError(f"{where} names no columns", hint="columns: {question: what is asked, answer: what is said}")
    if len({str(name).lower() for name in columns}) < len(columns):
        raise ConfigError(f"{where} names two columns that differ in case only")
    return AnswerForm(columns={name: _column(name, told, where) for name, told in columns.items()}, many=many)


def _column(name: Any, told: Any, where: str) -> Column:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(f"{where}: `{name}` is no name of a column", hint="use letters, digits and underscores")
    given = told if isinstance(told, Mapping) else {"about": told}
    unknown = sorted(set(map(str, given)) - {"about", "enum", "type"})
    if unknown or not isinstance(given.get("about", ""), str):
        fault = f"knows no `{unknown[0]}`" if unknown else "needs words in `about`"
        raise ConfigError(f"{where}: column `{name}` {fault}", hint="a column has about, enum and type")
    enum = tuple(_spelled(value) for value in given.get("enum", ()))
    kind = given.get("type", "string")
    if kind not in _KINDS:
        raise ConfigError(f"{where}: column `{name}` has type `{kind}`", hint=f"there are {', '.join(_KINDS)}")
    if len({_plain(value) for value in enum} - {""}) < len(enum):
        raise ConfigError(f"{where}: column `{name}` has values that differ in case or punctuation only")
    return Column(about=given.get("about", ""), enum=enum, type=kind)


def _spelled(value: Any) -> str:
    """A value of an enum; YAML reads a bare YES or NO as a truth value."""
    return {True: "YES", False: "NO"}[value] if isinstance(value, bool) else str(value)


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _schema_of(column: Column) -> dict[str, Any]:
    if column.type == "array of strings":
        return {"type": "array", "items": {"type": "string"}}
    if column.enum and column.type == "integer":
        return {"type": "integer", "enum": [int(value) for value in column.enum]}
    return {"type": column.type} | ({"enum": list(column.enum)} if column.enum else {})


def _told(column: Column) -> Value:
    """What the teacher is told to put there."""
    choice = " or ".join(column.enum)
    told = f"{column.about}: {choice}" if column.about and choice else column.about or choice
    return [told, "..."] if column.type == "array of strings" else told


def _objects(text: str, *, inner: bool) -> Iterator[dict[str, Any]]:
    """The JSON objects in `text`, outermost first; with `inner`, the whole ones inside a broken one too."""
    decoder = json.JSONDecoder(strict=False)  # models write line breaks into strings
    start = text.find("{")
    while start >= 0:
        try:
            value, end = decoder.raw_decode(text, start)
        except RecursionError:
            return
        except ValueError:
            if not inner:
                return
            end = start + 1
        else:
            yield value
        start = text.find("{", end)


def _lowered(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name.strip().lower(): value for name, value in row.items()}


def _value(value: Any, column: Column) -> Value | None:
    """`value` as the column wants it, or None."""
    if column.type == "array of strings":
        lines = value if isinstance(value, list) else str(value or "").splitlines()
        found = [line for line in (_entry(line, bullet=not isinstance(value, list)) for line in lines) if line]
        return found or None
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    text = str(value).strip()
    if column.enum:
        chosen = _chosen(text, column.enum)
        return chosen if chosen is None or column.type == "string" else int(chosen)
    if column.type == "integer":
        number = _NUMBER.match(text)
        return int(number[1]) if number else None
    return text or None


def _entry(line: Any, *, bullet: bool) -> str:
    text = str(line) if isinstance(line, (str, int, float)) else ""
    return (_BULLET.sub("", text) if bullet else text).strip()


def _chosen(text: str, enum: Sequence[str]) -> str | None:
    """The value of `enum` that `text` is, whatever its case, punctuation and markdown; `Score: 3` and `3/3` are 3."""
    plain = {_plain(value): value for value in enum}
    label, _, after_label = text.partition(":")
    number = _NUMBER.match(text)
    said = [text, number[1] if number else ""]
    if len(label.split()) <= _LABEL_WORDS and not plain.keys() & set(_plain(label).split()):
        said.append(after_label)
    return next((plain[_plain(each)] for each in said if _plain(each) in plain), None)


def _plain(text: str) -> str:
    words = re.findall(r"[^\W_]+", text.casefold())
    return " ".join(words)


def _as_text(value: Value) -> str:
    return "\n".join(f"- {line}" for line in value) if isinstance(value, list) else str(value)
