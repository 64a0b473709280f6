"""Rows of questions and answers out of CSV, JSON lines and JSON: question/answer, Alpaca, chat messages, ShareGPT.

A row that cannot be used becomes a finding with its place; the others are read.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ilab.errors import Fault, UserFileError

FORMATS = "CSV (question,answer[,context][,leaf]), JSON lines, or a JSON list"
_NAMES = {
    "question": ("question", "instruction", "prompt"),
    "answer": ("answer", "output", "response", "completion"),
    "context": ("context", "input"),
    "leaf": ("leaf",),
}
_USER, _MODEL, _SYSTEM = ("user", "human"), ("assistant", "gpt", "chatgpt", "bot", "model"), ("system",)
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
"""What no text of a qna.yaml may have."""
_SNIFFED = 64 * 1024
_DELIMITERS = ",;\t|"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One question and answer; `line` is where the row starts in the file."""

    line: int
    question: str
    answer: str
    context: str = ""
    leaf: str = ""


@dataclass(slots=True, kw_only=True)
class Rows:
    """What a file holds: `faults` has a finding for each row that cannot be used, `systems` counts dropped prompts."""

    found: list[Row] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    systems: int = 0
    unused: list[str] = field(default_factory=list)


class _Unusable(Exception):
    """Why one row cannot be used."""


def read(file: Path, *, encoding: str = "") -> Rows:
    """The rows of `file`. `UserFileError` if it cannot be read at all."""
    text = _text(file, encoding)
    start = text.lstrip()[:1]
    if not start:
        raise _refused(file, 0, "the file is empty", f"give {FORMATS}")
    if start in "[{":
        return _usable(file, _json_records(file, text))
    return _usable(file, _csv_records(file, text))


def _text(file: Path, encoding: str) -> str:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise _refused(file, 0, f"the file cannot be read: {error.strerror}", "check the path") from error
    if not encoding:
        encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except LookupError as error:
        raise _refused(file, 0, f"no encoding is called `{encoding}`", "try --encoding cp1252") from error
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        hint = "name it, for example --encoding cp1252, or save the file as UTF-8"
        raise _refused(file, line, f"the byte 0x{data[error.start]:02x} is not {encoding} text", hint) from error
    return text.removeprefix("\ufeff")


def _usable(file: Path, records: Iterator[tuple[int, Any]]) -> Rows:
    rows = Rows()
    unused: dict[str, None] = {}
    for line, record in records:
        try:
            if isinstance(record, _Unusable):
                raise record
            row, system = _row(line, record)
        except _Unusable as reason:
            rows.faults.append(Fault(path=str(file), line=line, message=f"row not used: {reason}", severity="warning"))
            continue
        rows.found.append(row)
        rows.systems += system
        known = {name for names in _NAMES.values() for name in names} | {"messages", "conversations", "id"}
        unused |= dict.fromkeys(name for name in record if name.strip().casefold() not in known)
    rows.unused = list(unused)
    return rows


# --- records to rows ---


def _row(line: int, record: Any) -> tuple[Row, bool]:
    """The row of one record, and whether a system prompt of it is dropped."""
    if not isinstance(record, Mapping):
        raise _Unusable(f"it is not an object of keys, but {json.dumps(record, ensure_ascii=False)[:40]}")
    lowered = {str(name).strip().casefold(): value for name, value in record.items()}
    system = False
    for name, roles in (("messages", ("role", "content")), ("conversations", ("from", "value"))):
        if name in lowered:
            question, answer, system = _turns(lowered[name], name, *roles)
            return _checked(line, question, answer, "", lowered), system
    question, answer, context = (_value(lowered, name) for name in ("question", "answer", "context"))
    return _checked(line, question, answer, context, lowered), system


def _value(record: Mapping[str, Any], name: str) -> str:
    found = next((record[each] for each in _NAMES[name] if record.get(each) is not None), "")
    if not isinstance(found, str):
        raise _Unusable(f"its {name} is not text")
    return found


def _turns(turns: Any, name: str, role_key: str, text_key: str) -> tuple[str, str, bool]:
    """Question and answer of a conversation of one turn each."""
    if not isinstance(turns, Sequence) or isinstance(turns, str):
        raise _Unusable(f"`{name}` is not a list")
    said: list[tuple[str, str]] = []
    for turn in turns:
        if not isinstance(turn, Mapping) or not isinstance(turn.get(role_key), str):
            raise _Unusable(f"an entry of `{name}` has no `{role_key}`")
        if not isinstance(turn.get(text_key), str):
            raise _Unusable(f"an entry of `{name}` has no text in `{text_key}`")
        said.append((turn[role_key].casefold(), turn[text_key]))
    system = bool(said) and said[0][0] in _SYSTEM
    if system:
        system, said = bool(said[0][1].strip()), said[1:]
    unknown = next((role for role, _ in said if role not in (*_USER, *_MODEL)), "")
    if unknown:
        raise _Unusable(f"the role `{unknown}` is not read")
    if len(said) > 2:
        raise _Unusable(f"the conversation has {len(said)} turns; only one question with its answer is read")
    if len(said) < 2 or said[0][0] not in _USER or said[1][0] not in _MODEL:
        raise _Unusable("the conversation is not a question followed by its answer")
    return said[0][1], said[1][1], system


def _checked(line: int, question: str, answer: str, context: str, record: Mapping[str, Any]) -> Row:
    texts = {"question": question, "answer": answer, "context": context, "leaf": _value(record, "leaf")}
    for name, text in texts.items():
        texts[name] = text = text.replace("\r\n", "\n").replace("\r", "\n")
        if odd := _UNPRINTABLE.search(text):
            raise _Unusable(f"its {name} contains the character U+{ord(odd[0]):04X}, which is not text")
    for name in ("question", "answer"):
        if not texts[name].strip():
            raise _Unusable(f"it has no {name}")
    if not context.strip():
        texts["context"] = ""
    texts["leaf"] = texts["leaf"].strip().strip("/")
    return Row(line=line, **texts)


# --- files to records ---


def _csv_records(file: Path, text: str) -> Iterator[tuple[int, Any]]:
    former = csv.field_size_limit(2**31 - 1)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), _dialect(text), strict=True)
        header = [name.strip() for name in next(reader)]
        lowered = [name.casefold() for name in header]
        for name in ("question", "answer"):
            if not set(_NAMES[name]) & set(lowered):
                shown = ", ".join(header[:8])
                raise _refused(
                    file, 1, f"no column is called `{name}`; there are: {shown}", "name the columns in line 1"
                )
        line = reader.line_num + 1
        for cells in reader:
            if len(cells) > len(header):
                reason = (
                    f"it has {len(cells)} cells, and there are {len(header)} columns; text with commas needs quotes"
                )
                yield line, _Unusable(reason)
            elif any(cell.strip() for cell in cells):
                yield line, dict(zip(header, cells, strict=False))
            line = reader.line_num + 1
    except csv.Error as error:
        raise _refused(
            file, reader.line_num, f"this is not CSV: {error}", 'double a quote inside quotes: ""'
        ) from error
    finally:
        csv.field_size_limit(former)


def _dialect(text: str) -> type[csv.Dialect] | str:
    """How the file separates its cells; quotes are doubled in any case."""

    class Found(csv.excel):
        delimiter = ","

    header = text.partition("\n")[0]
    counts = {mark: header.count(mark) for mark in _DELIMITERS}
    try:
        sniffed = csv.Sniffer().sniff(text[:_SNIFFED], delimiters=_DELIMITERS).delimiter
    except csv.Error:
        sniffed = ","
    Found.delimiter = sniffed if counts.get(sniffed) else max(_DELIMITERS, key=lambda mark: counts[mark])
    return Found


def _json_records(file: Path, text: str) -> Iterator[tuple[int, Any]]:
    """The entries of a JSON list, or the values of JSON lines, each with the line that it starts on."""
    decoder = json.JSONDecoder()
    listed = text.lstrip().startswith("[")
    place = text.index("[") + 1 if listed else 0
    line, counted = 1, 0
    separators = ", \t\r\n" if listed else " \t\r\n"
    while True:
        while place < len(text) and text[place] in separators:
            place += 1
        line, counted = line + text.count("\n", counted, place), place
        if place == len(text) and not listed:
            return
        if listed and text[place : place + 1] == "]":
            return
        try:
            record, place = decoder.raw_decode(text, place)
        except (json.JSONDecodeError, RecursionError) as error:
            at = error.lineno if isinstance(error, json.JSONDecodeError) else line
            what = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deep"
            end = text.find("\n", place)
            if listed or end < 0 or at > line:
                if listed:
                    raise _refused(file, at, f"this is not JSON: {what}", "check quotes and commas here") from error
                end = len(text) if end < 0 else end
            yield line, _Unusable(f"this is not JSON: {what}")
            record, place = None, end
            continue
        yield line, record


def _refused(file: Path, line: int, message: str, hint: str) -> UserFileError:
    fault = Fault(path=str(file), line=line, message=message, hint=hint)
    return UserFileError(f"{file} cannot be imported", [fault])
