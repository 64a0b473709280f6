"""Text with Markdown headings as sections: each with the path of headings above it, as spans of the text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

_HEADING = re.compile(r"(?P<level>#{1,6})[ \t]+(?P<title>\S.*?)[ \t]*")
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,}).*")
_FIRST = frozenset(" \t#`~")
"""Other lines than those that begin so are text; the two patterns need not look at them."""

Span = tuple[int, int]
"""Offsets in the text: the first character, and the one behind the last."""


@dataclass(slots=True, kw_only=True)
class Section:
    """Text below one heading, up to the next one.

    `path` holds the headings above, outermost first, and `levels` their levels (1 for `#`); `heading` is the line of
    the innermost one, where there is one; `paragraphs` is the text below it.
    """

    path: tuple[str, ...] = ()
    levels: tuple[int, ...] = ()
    heading: Span | None = None
    paragraphs: list[Span] = field(default_factory=list)

    @property
    def body(self) -> Span:
        """From the first paragraph to the end of the last."""
        return self.paragraphs[0][0], self.paragraphs[-1][1]


def split_sections(text: str) -> list[Section]:
    """The sections of `text` in order.

    A heading with nothing below it, not even other headings, becomes text of the section above, so that it is not lost.
    """
    sections = [Section()]
    begin, fence, start = 0, "", 0
    for line in text.split("\n"):
        end = start + len(line)
        if not line or line.isspace():
            if not fence:
                _end_paragraph(sections[-1], text, begin, start)
                begin = end + 1
        elif line[0] in _FIRST:
            mark = _FENCE.fullmatch(line)
            if fence:
                fence = "" if mark and mark[1].startswith(fence) else fence
            elif mark:
                fence = mark[1]
            elif heading := _HEADING.fullmatch(line):
                _end_paragraph(sections[-1], text, begin, start)
                sections.append(_below(sections[-1], heading, start))
                begin = end + 1
        start = end + 1
    _end_paragraph(sections[-1], text, begin, len(text))
    return _without_empty(sections)


def title_of(sections: Sequence[Section]) -> str:
    """The first heading of the first level that has text below it, or an empty string."""
    first = (section.path[0] for section in sections if section.levels[:1] == (1,))
    return next(first, "")


def _end_paragraph(section: Section, text: str, begin: int, end: int) -> None:
    if end > begin and (stripped := text[begin:end].rstrip()):
        section.paragraphs.append((begin, begin + len(stripped)))


def _below(before: Section, mark: re.Match[str], start: int) -> Section:
    level = len(mark["level"])
    depth = sum(1 for other in before.levels if other < level)
    return Section(
        path=(*before.path[:depth], mark["title"]),
        levels=(*before.levels[:depth], level),
        heading=(start, start + mark.end("title")),
    )


def _without_empty(sections: list[Section]) -> list[Section]:
    kept = []
    for number, section in enumerate(sections):
        following = sections[number + 1] if number + 1 < len(sections) else None
        has_children = following is not None and following.path[: len(section.path)] == section.path
        if section.paragraphs:
            kept.append(section)
        elif section.heading and not has_children:
            above = len(section.path) - 1
            kept.append(Section(path=section.path[:above], levels=section.levels[:above], paragraphs=[section.heading]))
    return kept
