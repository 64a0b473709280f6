"""Text with Markdown headings as sections: each with the path of headings above it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

_HEADING = re.compile(r"(#{1,6})[ \t]+(\S.*?)[ \t]*")
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,}).*")


@dataclass(slots=True, kw_only=True)
class Section:
    """Text below one heading, up to the next one.

    `path` holds the headings above, outermost first, and `levels` their levels (1 for `#`); `paragraphs` is the text.
    """

    path: tuple[str, ...] = ()
    levels: tuple[int, ...] = ()
    paragraphs: list[str] = field(default_factory=list)


def split_sections(text: str) -> list[Section]:
    """The sections of `text` in order.

    A heading with nothing below it, not even other headings, becomes text of the section above, so that it is not lost.
    """
    sections = [Section()]
    lines: list[str] = []
    fence = ""

    def end_paragraph() -> None:
        if lines:
            sections[-1].paragraphs.append("\n".join(lines))
            lines.clear()

    for line in text.split("\n"):
        mark = _FENCE.fullmatch(line)
        if fence:
            fence = "" if mark and mark[1].startswith(fence) else fence
            lines.append(line)
        elif heading := _HEADING.fullmatch(line):
            end_paragraph()
            sections.append(_below(sections[-1], len(heading[1]), heading[2]))
        elif mark:
            fence = mark[1]
            lines.append(line)
        elif line.strip():
            lines.append(line)
        else:
            end_paragraph()
    end_paragraph()
    return _without_empty(sections)


def heading_lines(section: Section, depth: int) -> list[str]:
    """The headings of `section` beyond the first `depth`, as Markdown."""
    pairs = zip(section.levels[depth:], section.path[depth:], strict=True)
    return [f"{'#' * level} {title}" for level, title in pairs]


def title_of(sections: Sequence[Section]) -> str:
    """The first heading of the first level that has text below it, or an empty string."""
    first = (section.path[0] for section in sections if section.levels[:1] == (1,))
    return next(first, "")


def _below(before: Section, level: int, title: str) -> Section:
    depth = sum(1 for other in before.levels if other < level)
    return Section(path=(*before.path[:depth], title), levels=(*before.levels[:depth], level))


def _without_empty(sections: list[Section]) -> list[Section]:
    kept = []
    for number, section in enumerate(sections):
        following = sections[number + 1] if number + 1 < len(sections) else None
        has_children = following is not None and following.path[: len(section.path)] == section.path
        if section.paragraphs:
            kept.append(section)
        elif section.path and not has_children:
            above = len(section.path) - 1
            line = heading_lines(section, above)
            kept.append(Section(path=section.path[:above], levels=section.levels[:above], paragraphs=line))
    return kept
