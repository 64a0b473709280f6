"""The card of a data set: a README.md that says what it is, where it comes from, and under which licence."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import yaml

_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)
_FORMS = {
    "messages": "`messages`: turns with `role` and `content`; `unmask`, `metadata` (a JSON string), `id`.",
    "sharegpt": "`conversations`: turns with `from` (system, human, gpt) and `value`.",
    "alpaca": "`instruction`, `input` (the context of a question about a text, else empty), `output`.",
    "parquet": "`messages`: list of (`role`, `content`); `unmask`, `metadata` (a JSON string), `id`.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """What the attribution.txt of a leaf says of its sources. `licence` is empty where there is none."""

    leaf: str
    title: str = ""
    link: str = ""
    licence: str = ""
    creators: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFacts:
    """What a card tells. `lineage` is in the order in which it is shown."""

    file: str
    form: str
    rows: int
    kinds: Mapping[str, int]
    leaves: Mapping[str, int]
    origins: Mapping[str, int]
    attributions: Sequence[Attribution] = ()
    lineage: Mapping[str, str] = field(default_factory=dict)
    reviewed: Mapping[str, int] = field(default_factory=dict)


def read_attribution(leaf: str, text: str) -> Attribution:
    """The fields of an attribution.txt: title, link, licence and creators of the work."""

    def value(names: str) -> str:
        found = re.findall(rf"(?im)^\W*(?:{names})[^:\n]*:[ \t]*(\S.*?)[ \t]*$", text)
        return "; ".join(dict.fromkeys(found))

    return Attribution(
        leaf=leaf, title=value("title"), link=value("link"), licence=value("licen[cs]e"), creators=value("creator")
    )


def to_markdown(facts: CardFacts) -> str:
    """The card as Markdown with the front matter that data-set hubs read."""
    size = next((name for limit, name in _SIZES if facts.rows < limit), "n>10M")
    front = {
        "license": _one_licence(facts.attributions),
        "task_categories": ["question-answering", "text-generation"],
        "size_categories": [size],
        "tags": ["synthetic"],
        "configs": [{"config_name": "default", "data_files": facts.file}],
    }
    parts = [
        f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---",
        f"# {facts.file.partition('.')[0]}",
    ]
    parts.append(f"{facts.rows:,} rows of synthetic questions and answers. {_FORMS[facts.form]}")
    parts.append(_table("Rows by kind", "kind", facts.kinds))
    parts.append(_table("Rows by leaf of the taxonomy", "leaf", facts.leaves))
    parts.append(_table("Rows by how they were made", "origin", facts.origins))
    if facts.reviewed:
        parts.append(
            "## Review by a person\n\n" + ", ".join(f"{n:,} {name}" for name, n in facts.reviewed.items()) + "."
        )
    parts.append(_licences(facts.attributions))
    parts.append(_lineage(facts.lineage))
    return "\n\n".join(part for part in parts if part) + "\n"


def _one_licence(attributions: Sequence[Attribution]) -> str:
    """The licence of all sources as hubs spell it, `other` where they differ, `unknown` where none is given."""
    named = {_hub_name(one.licence) for one in attributions}
    if not named or named == {""}:
        return "unknown"
    return named.pop() if len(named) == 1 else "other"


def _hub_name(licence: str) -> str:
    plain = licence.strip().lower().replace(" ", "-")
    return plain if re.fullmatch(r"[a-z0-9.+-]+", plain) else "other" if plain else ""


def _table(title: str, column: str, counts: Mapping[str, int]) -> str:
    if not counts:
        return ""
    rows = [f"| {_cell(name) or '(none)'} | {count:,} |" for name, count in counts.items()]
    return "\n".join([f"## {title}", "", f"| {column} | rows |", "|---|--:|", *rows])


def _licences(attributions: Sequence[Attribution]) -> str:
    if not attributions:
        return "## Licence\n\nThe licences of the sources are not known."
    lines = ["## Licence", "", "What the taxonomy says of the sources:", ""]
    lines += ["| leaf | work | licence | creators |", "|---|---|---|---|"]
    for one in attributions:
        work = " ".join(part for part in (one.title, one.link) if part)
        lines.append(
            f"| {_cell(one.leaf)} | {_cell(work)} | {_cell(one.licence) or 'not given'} | {_cell(one.creators)} |"
        )
    return "\n".join(lines)


def _lineage(lineage: Mapping[str, str]) -> str:
    if not lineage:
        return ""
    return "\n".join(["## Lineage", "", *(f"- {name}: {_cell(value)}" for name, value in lineage.items() if value)])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
