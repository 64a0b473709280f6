"""PowerPoint presentations to Markdown: a heading a slide, its text, lists, tables, charts and notes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ilab.base import lazy
from ilab.base.report import Reporter
from ilab.documents.formats.archive import Archive
from ilab.documents.formats.markdown_writer import MarkdownWriter, escape

_TITLES = ("TITLE", "CENTER_TITLE", "VERTICAL_TITLE")
_LISTS = ("BODY", "OBJECT", "VERTICAL_BODY", "VERTICAL_OBJECT")
_EDGES = ("DATE", "FOOTER", "HEADER", "SLIDE_NUMBER")
_EQUAL_WIDTHS = re.compile(r"courier|consol|mono|menlo|lucida console", re.IGNORECASE)


def to_markdown(path: Path, *, report: Reporter, where: str) -> str:
    """The text of all slides in order; pictures, dates, footers and slide numbers are left out."""
    pptx = lazy.need("pptx", feature="reading PowerPoint presentations", extra="docs")
    with Archive(path, kind="PowerPoint", where=where) as archive:
        archive.read("ppt/presentation.xml")
        writer = MarkdownWriter()
        try:
            slides = list(pptx.Presentation(str(path)).slides)
            empty, title = 0, ""
            for done, slide in enumerate(slides, start=1):
                before = writer.blocks
                title = _write_slide(writer, slide, first=done == 1, title_before=title)
                empty += writer.blocks == before
                report.progress("slides read", done, len(slides))
        except Exception as error:  # a damaged file makes the library fail in any way
            raise archive.error(f"is damaged: {type(error).__name__}: {error}") from error
    report.metric("pages", len(slides))
    report.metric("empty_pages", empty)
    report.metric("tables", writer.tables)
    return writer.text()


def _write_slide(writer: MarkdownWriter, slide: Any, *, first: bool, title_before: str) -> str:
    """Write one slide, and return its title. A title that the slide before has, too, is not repeated."""
    shapes = list(_shapes(slide.shapes))
    title = next((shape for shape in shapes if _kind(shape) in _TITLES and shape.has_text_frame), None)
    text = escape(title.text_frame.text.replace("\v", " ")) if title is not None else ""
    if text != title_before:
        writer.heading(1 if first else 2, text)
    for shape in shapes:
        if shape is not title and _kind(shape) not in _EDGES:
            _write_shape(writer, shape)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        notes = slide.notes_slide.notes_text_frame.text
        for number, paragraph in enumerate(line for line in notes.replace("\v", "\n").split("\n") if line.strip()):
            writer.paragraph(("Notes: " if number == 0 else "") + escape(paragraph))
    return text


def _shapes(shapes: Any) -> Iterator[Any]:
    """All shapes from the top down, those of groups in place of the group."""
    for shape in sorted(shapes, key=lambda each: (each.top or 0, each.left or 0)):
        if hasattr(shape, "shapes"):
            yield from _shapes(shape.shapes)
        else:
            yield shape


def _kind(shape: Any) -> str:
    """The kind of placeholder, or an empty string."""
    if not shape.is_placeholder:
        return ""
    kind = shape.placeholder_format.type
    return kind.name if kind is not None else "OBJECT"


def _write_shape(writer: MarkdownWriter, shape: Any) -> None:
    if getattr(shape, "has_table", False):
        writer.table([[escape(cell.text) for cell in row.cells] for row in shape.table.rows])
    elif getattr(shape, "has_chart", False):
        _write_chart(writer, shape.chart)
    elif shape.has_text_frame:
        in_list = _kind(shape) in _LISTS
        number = [0] * 10
        for paragraph in shape.text_frame.paragraphs:
            if _is_code(paragraph):
                writer.code(paragraph.text.replace("\v", "\n"))
                continue
            text = escape(paragraph.text.replace("\v", " "))
            mark = _mark(paragraph, number) if in_list or _has_bullet(paragraph) else ""
            if mark:
                writer.item(text, depth=paragraph.level, mark=mark)
            else:
                writer.paragraph(text)


def _is_code(paragraph: Any) -> bool:
    """Whether all of it is in a font of equal widths."""
    fonts = [run.font.name or "" for run in paragraph.runs if run.text.strip()]
    return bool(fonts) and all(_EQUAL_WIDTHS.search(font) for font in fonts)


def _properties(paragraph: Any) -> list[str]:
    """The names of what is set for a paragraph, such as `buNone` for one without a bullet."""
    properties = paragraph._p.pPr
    return [] if properties is None else [str(child.tag).rpartition("}")[2] for child in properties]


def _has_bullet(paragraph: Any) -> bool:
    return any(name in ("buChar", "buAutoNum", "buBlip") for name in _properties(paragraph))


def _mark(paragraph: Any, number: list[int]) -> str:
    """The mark of an item, or nothing for a paragraph that has its bullet taken away. `number` counts by level."""
    level, names = paragraph.level, _properties(paragraph)
    number[level + 1 :] = [0] * (len(number) - level - 1)
    if "buNone" in names:
        return ""
    if "buAutoNum" in names:
        number[level] += 1
        return f"{number[level]}."
    return "-"


def _write_chart(writer: MarkdownWriter, chart: Any) -> None:
    """A chart as the table of its numbers."""
    if chart.has_title and chart.chart_title.has_text_frame:
        writer.paragraph(escape(chart.chart_title.text_frame.text))
    for plot in chart.plots:
        series = list(plot.series)
        head = ["", *(escape(each.name or "") for each in series)]
        body = [
            [escape(str(category)), *(_figure(each.values, place) for each in series)]
            for place, category in enumerate(plot.categories)
        ]
        if body and series:
            writer.table([head, *body])


def _figure(values: Any, place: int) -> str:
    value = values[place] if place < len(values) else None
    return "" if value is None else f"{value:g}"
