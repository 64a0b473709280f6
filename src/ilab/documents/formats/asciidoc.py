"""AsciiDoc to Markdown. Included files are not followed, and told; pictures and embedded HTML are left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ilab.base.report import Reporter
from ilab.documents.formats.asciidoc_inline import Inline
from ilab.documents.formats.asciidoc_table import read_table
from ilab.documents.formats.markdown_writer import MarkdownWriter
from ilab.errors import SourceError

_ENTRY = re.compile(r":(!?)([A-Za-z0-9_][\w-]*)(!?):(?:[ \t]+(.*))?")
_SECTION = re.compile(r"(={1,6}|#{1,6})[ \t]+(\S.*?)(?:[ \t]+\1)?[ \t]*")
_UNDERLINE = re.compile(r"([=\-~^+])\1{2,}[ \t]*")
_UNDERLINED = "=-~^+"
_TITLE = re.compile(r"\.(?![ \t.])(.+)")
_ANCHOR = re.compile(r"\[\[[^\[\]]*\]\][ \t]*")
_ATTRIBUTES = re.compile(r"\[(?![\[\s])([^\[\]]*(?:\[[^\]]*\][^\[\]]*)*)\][ \t]*|\[\][ \t]*")
_DELIMITER = re.compile(r"(-{4,}|\.{4,}|={4,}|\*{4,}|_{4,}|\+{4,}|/{4,}|--|`{3,}[\w+-]*|~{4,})[ \t]*")
_TABLE = re.compile(r"([|,:!])={3,}[ \t]*")
_ITEM = re.compile(r"[ \t]*(?P<mark>\*{1,6}|-|\.{1,6}|\d{1,6}\.|[a-zA-Z]\.|<(?:\d{1,3}|\.)>)[ \t]+(?P<text>\S.*)")
_DESCRIBED = re.compile(r"[ \t]*(?P<term>\S.*?)(?P<mark>:{2,4}|;;)(?:[ \t]+(?P<text>.*))?[ \t]*")
_MACRO = re.compile(r"(?P<name>image|video|audio|toc|include)::(?P<target>[^\[]*)\[.*\][ \t]*")
_CONDITION = re.compile(r"(?P<kind>ifdef|ifndef|ifeval|endif)::(?P<names>[^\[]*)\[(?P<text>.*)\][ \t]*")
_COMPARED = re.compile(r"\s*(\"[^\"]*\"|'[^']*'|\S+)\s*(==|!=)\s*(\"[^\"]*\"|'[^']*'|\S+)\s*")
_ADMONITION = re.compile(r"(NOTE|TIP|IMPORTANT|WARNING|CAUTION):[ \t]+(.*)", re.DOTALL)
_ADMONITIONS = ("NOTE", "TIP", "IMPORTANT", "WARNING", "CAUTION")
_CHECKED = re.compile(r"\[[ xX*]\][ \t]+")
_CALLOUT = re.compile(r"[ \t]*(?:(?://|#|--|;;|<!--)[ \t]*)?<(?:\d{1,3}|\.)>(?:[ \t]*-->)?[ \t]*$", re.MULTILINE)
_RULE = re.compile(r"'{3,}|<{3,}|-[ ]?-[ ]?-|\*[ ]?\*[ ]?\*")
_DEEPEST = 20


def to_markdown(path: Path, *, report: Reporter, where: str) -> str:
    """The text of the document."""
    try:
        data = path.read_bytes()
        text = data.decode("utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig")
    except OSError as error:
        raise SourceError(f"{where} cannot be read: {error.strerror}", hint="check the file's permissions") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{where} is not utf-8 text: {error}", hint="save it as UTF-8") from error
    writer = MarkdownWriter()
    reader = _Reader(writer, text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    reader.read()
    for name in reader.included:
        report.warning(f"{where} includes {name}, which is not followed")
    report.metric("tables", writer.tables)
    return writer.text()


@dataclass(slots=True)
class _About:
    """What the lines above a block say of it."""

    style: str = ""
    words: list[str] = field(default_factory=list)
    named: dict[str, str] = field(default_factory=dict)
    title: str = ""

    @property
    def language(self) -> str:
        """The language of code."""
        found = self.named.get("language") or (self.words[1] if len(self.words) > 1 else "")
        return found if re.fullmatch(r"[\w+#-]*", found) else ""


@dataclass(slots=True)
class _Level:
    """A list that is open: how its items are marked, and how many it had."""

    kind: str
    count: int = 0


class _Reader:
    """Reads lines and writes blocks as they end."""

    def __init__(self, writer: MarkdownWriter, lines: Sequence[str]) -> None:
        self.included: list[str] = []
        self._writer = writer
        self._lines = lines
        self._attributes: dict[str, str] = {}
        self._inline = Inline(self._attributes, _titles(lines))
        self._remarks = 0
        self._open: list[bool] = []
        """For each open condition, whether it holds."""

    def read(self) -> None:
        """Read everything, and write the footnotes at the end."""
        self._blocks(self._header(self._conditioned(self._lines)), depth=0)
        for number, note in enumerate(self._inline.notes, start=1):
            self._writer.note(str(number), note)

    # --- lines ---

    def _header(self, lines: list[str]) -> list[str]:
        """Write the title of the document, and leave out the lines of author and revision below it."""
        first = next((place for place, line in enumerate(lines) if line.strip() and not self._aside(line)), None)
        if first is None or not re.match(r"[=#][ \t]+\S", lines[first]):
            return lines
        end = next((place for place in range(first, len(lines)) if not lines[place].strip()), len(lines))
        for line in lines[first + 1 : end]:
            self._entry(line)
        title = _SECTION.fullmatch(lines[first])
        assert title is not None
        self._attributes.setdefault("doctitle", title[2])
        self._writer.heading(1, self._inline.markdown(title[2]))
        return lines[end:]

    def _aside(self, line: str) -> bool:
        """Whether the line says something that is not text: an attribute, or a comment."""
        return self._entry(line) or (line.startswith("//") and not line.startswith("///"))

    def _entry(self, line: str) -> bool:
        match = _ENTRY.fullmatch(line.rstrip())
        if match is None:
            return False
        if match[1] or match[3]:
            self._attributes.pop(match[2].lower(), None)
        else:
            self._attributes[match[2].lower()] = self._inline.with_attributes((match[4] or "").removesuffix(" \\"))
        return True

    def _conditioned(self, lines: Iterable[str]) -> list[str]:
        """The lines whose conditions hold. Attributes set before a condition count, as they stand in the document."""
        kept: list[str] = []
        verbatim = ""
        for line in lines:
            match = _CONDITION.fullmatch(line)
            if match is not None:
                kept += self._condition(match)
            elif all(self._open):
                if verbatim:
                    verbatim = "" if line.rstrip() == verbatim else verbatim
                elif re.fullmatch(r"-{4,}|\.{4,}", line.rstrip()):
                    verbatim = line.rstrip()
                else:
                    self._entry(line)
                kept.append(line)
        self._attributes.clear()
        return kept

    def _condition(self, match: re.Match[str]) -> list[str]:
        kind, text = match["kind"], match["text"]
        if kind == "endif":
            if self._open:
                self._open.pop()
            return []
        holds = self._compares(text) if kind == "ifeval" else self._is_set(match["names"]) == (kind == "ifdef")
        if kind != "ifeval" and text:  # the text itself depends on it, and nothing below
            return [text] if holds and all(self._open) else []
        self._open.append(holds)
        return []

    def _is_set(self, names: str) -> bool:
        if "+" in names:
            return all(name.strip().lower() in self._attributes for name in names.split("+"))
        return any(name.strip().lower() in self._attributes for name in names.split(","))

    def _compares(self, text: str) -> bool:
        """Whether a comparison of two texts holds; any other condition is taken to."""
        match = _COMPARED.fullmatch(self._inline.with_attributes(text))
        if match is None:
            return True
        return (match[1].strip("\"'") == match[3].strip("\"'")) == (match[2] == "==")

    # --- blocks ---

    def _blocks(self, lines: Sequence[str], *, depth: int) -> None:
        """Write the blocks of `lines`, which may be the inside of another block."""
        at, about, levels = 0, _About(), list[_Level]()
        while at < len(lines):
            line = lines[at].rstrip()
            if not line:
                about = about if about.style or about.title else _About()
                at += 1
            elif self._says_about(line, about) or self._aside(line) or _RULE.fullmatch(line):
                at += 1
            elif match := _MACRO.fullmatch(line):
                self._macro(match)
                at, about = at + 1, _About()
            elif (end := self._section(lines, at, about)) or (end := self._delimited(lines, at, about, depth)):
                at, about, levels = end, _About(), []
            elif end := self._list(lines, at, about, levels, depth):
                at, about = end, _About()
            else:
                at, about, levels = self._paragraph(lines, at, about), _About(), []

    def _says_about(self, line: str, about: _About) -> bool:
        if _ANCHOR.fullmatch(line):
            return True
        if title := _TITLE.fullmatch(line):
            about.title = title[1]
            return True
        match = _ATTRIBUTES.fullmatch(line)
        if match is None:
            return False
        words, named = _parts(self._inline.with_attributes(match[1] or ""))
        about.words = words or about.words
        about.named |= named
        style = re.split("[#.%]", words[0], maxsplit=1)[0] if words else ""
        about.style = style or about.style
        if words and "%header" in words[0]:
            about.named.setdefault("options", "header")
        return True

    def _macro(self, match: re.Match[str]) -> None:
        if match["name"] == "include":
            self.included.append(self._inline.with_attributes(match["target"]))

    def _section(self, lines: Sequence[str], at: int, about: _About) -> int:
        """Write a heading, and return where it ends; 0 if there is none."""
        match = _SECTION.fullmatch(lines[at].rstrip())
        if match is not None:
            self._writer.heading(len(match[1]), self._inline.markdown(_ANCHOR.sub("", match[2])))
            return at + 1
        title, below = lines[at].rstrip(), lines[at + 1].rstrip() if at + 1 < len(lines) else ""
        underlined = _UNDERLINE.fullmatch(below) and abs(len(below) - len(title)) <= 1 and title[:1].isalnum()
        if underlined and not (at > 0 and lines[at - 1].strip() and not about.style):
            self._writer.heading(_UNDERLINED.index(below[0]) + 1, self._inline.markdown(title))
            return at + 2
        return 0

    def _delimited(self, lines: Sequence[str], at: int, about: _About, depth: int) -> int:
        """Write a block between two equal lines, and return where it ends; 0 if there is none."""
        line = lines[at].rstrip()
        match = _DELIMITER.fullmatch(line) or _TABLE.fullmatch(line)
        if match is None:
            return 0
        closing = "`" * len(re.match("`*", line)[0]) if line[0] == "`" else line  # type: ignore[index]
        inside = range(at + 1, len(lines))
        end = next((place for place in inside if lines[place].rstrip() == closing), len(lines))
        body = lines[at + 1 : end]
        if line[0] != "/" and (about.title or about.style in _ADMONITIONS):
            label = about.style.capitalize() if about.style in _ADMONITIONS else ""
            shown = ": ".join(part for part in (label, self._inline.markdown(about.title)) if part)
            self._writer.paragraph(f"{shown}:" if shown == label else shown)
        if _TABLE.fullmatch(line):
            self._table(body, about, line[0])
        elif line[0] in "-.`" and line != "--":
            language = line.strip("`") if line[0] == "`" else about.language if about.style == "source" else ""
            self._code(body, language, callouts=line[0] != ".")
        elif about.style in ("source", "listing", "literal", "verse", "stem", "latexmath", "asciimath"):
            self._code(body, about.language)
        elif line[0] not in "/+" and depth < _DEEPEST:
            self._blocks(body, depth=depth + 1)
            self._by(about)
        return end + 1

    def _code(self, lines: Sequence[str], language: str = "", *, callouts: bool = True) -> None:
        text = "\n".join(lines)
        self._writer.code(_CALLOUT.sub("", text) if callouts else text, language)

    def _by(self, about: _About) -> None:
        """Who is quoted."""
        if about.style == "quote" and len(about.words) > 1:
            self._writer.paragraph("— " + self._inline.markdown(", ".join(about.words[1:])))

    def _table(self, lines: Sequence[str], about: _About, mark: str) -> None:
        form = about.named.get("format", {",": "csv", ":": "dsv"}.get(mark, "psv"))
        separator = about.named.get("separator", "!" if mark == "!" else "|")
        rows = read_table(
            [line for line in lines if not (line.startswith("//") and not line.startswith("///"))],
            cols=about.named.get("cols", ""),
            separator=separator,
            form=form,
        )
        self._writer.table([[self._inline.markdown(_cell(text)) for text in row] for row in rows])

    def _list(self, lines: Sequence[str], at: int, about: _About, levels: list[_Level], depth: int) -> int:
        """Write one item of a list with what belongs to it, and return where it ends; 0 if there is none.

        `levels` are the lists that are open, outermost first.
        """
        item = _ITEM.fullmatch(lines[at].rstrip())
        described = None if item else _DESCRIBED.fullmatch(lines[at].rstrip())
        if item is None and (described is None or "://" in described["term"]):
            return 0
        match = item or described
        assert match is not None
        end, text = self._item_text(lines, at + 1, match["text"] or "")
        if about.title:
            self._writer.paragraph(self._inline.markdown(about.title))
            levels.clear()
        level = _level(match["mark"], levels) if match["mark"][0] != "<" else 0
        shown = self._inline.markdown(_CHECKED.sub("", text))
        if item is None:
            term = self._inline.markdown(match["term"])
            self._writer.item(f"{term}: {shown}" if shown else f"{term}:", depth=level)
        else:
            self._writer.item(shown, depth=level, mark=self._mark(match["mark"], levels))
        return self._continued(lines, end, depth)

    def _mark(self, mark: str, levels: Sequence[_Level]) -> str:
        if mark[0] == "<":  # a remark on a line of code, numbered by itself where it says so
            self._remarks = int(mark[1:-1]) if mark[1:-1].isdigit() else self._remarks + 1
            return f"{self._remarks}."
        return "-" if mark[0] in "*-" else f"{levels[-1].count}."

    def _item_text(self, lines: Sequence[str], at: int, text: str) -> tuple[int, str]:
        """The lines up to the next block continue an item."""
        parts = [text]
        if not text:  # the description of a term may stand below it
            while at < len(lines) and not lines[at].strip():
                at += 1
        while at < len(lines) and lines[at].strip() and not self._ends_item(lines[at].rstrip()):
            parts.append(lines[at].strip())
            at += 1
        return at, " ".join(part.removesuffix(" +") for part in parts)

    def _ends_item(self, line: str) -> bool:
        patterns = (_ITEM, _DELIMITER, _TABLE, _SECTION, _ATTRIBUTES, _ANCHOR, _MACRO)
        return line == "+" or line.startswith("//") or any(p.fullmatch(line) for p in patterns) or self._describes(line)

    def _describes(self, line: str) -> bool:
        match = _DESCRIBED.fullmatch(line)
        return match is not None and "://" not in match["term"]

    def _continued(self, lines: Sequence[str], at: int, depth: int) -> int:
        """Write the blocks that a `+` joins to an item, and return where they end."""
        while at < len(lines) and lines[at].rstrip() == "+":
            about, at = _About(), at + 1
            while at < len(lines) and lines[at].strip() and self._says_about(lines[at].rstrip(), about):
                at += 1
            if at >= len(lines):
                break
            if match := _MACRO.fullmatch(lines[at].rstrip()):
                self._macro(match)
                at += 1
            else:
                at = self._delimited(lines, at, about, depth) or self._paragraph(lines, at, about, ends=("+",))
        return at

    def _paragraph(self, lines: Sequence[str], at: int, about: _About, ends: Sequence[str] = ()) -> int:
        end = at + 1
        while end < len(lines) and lines[end].rstrip() not in ("", *ends) and not self._breaks(lines[end]):
            end += 1
        body = [line for line in lines[at:end] if not (line.startswith("//") and not line.startswith("///"))]
        if lines[at][:1] in " \t" or about.style in ("source", "listing", "literal", "verse"):
            self._code(_dedented(body), about.language if about.style == "source" else "")
            return end
        text = self._inline.markdown(" ".join(line.strip().removesuffix(" +") for line in body if line.strip() != "+"))
        raw = _ADMONITION.fullmatch(text)
        label = raw[1] if raw else about.style if about.style in _ADMONITIONS else ""
        if about.title:
            self._writer.paragraph(self._inline.markdown(about.title))
        self._writer.paragraph(f"{label.capitalize()}: {raw[2] if raw else text}" if label else text)
        self._by(about)
        return end

    def _breaks(self, line: str) -> bool:
        """Whether a line ends the paragraph above it without a blank line."""
        line = line.rstrip()
        return bool(_DELIMITER.fullmatch(line) or _TABLE.fullmatch(line) or _MACRO.fullmatch(line)) and line != "--"


def _level(mark: str, levels: list[_Level]) -> int:
    """How deep an item with this mark stands, counted from 0; lists below it end, and a list of a new mark opens."""
    kind = re.sub(r"\d+\.", "1.", re.sub(r"[a-zA-Z]\.", "a.", mark))
    known = [level.kind for level in levels]
    if kind in known:
        del levels[known.index(kind) + 1 :]
    else:
        levels.append(_Level(kind))
    levels[-1].count += 1
    return len(levels) - 1


def _titles(lines: Sequence[str]) -> dict[str, str]:
    """Titles of sections by their ids: those given, those made of the title, and the titles themselves."""
    found: dict[str, str] = {}
    given = ""
    for line in lines:
        section = _SECTION.fullmatch(line.rstrip())
        anchor = re.fullmatch(r"\[(?:\[([^\],]+)[^\]]*\]|#([\w-]+)[^\]]*)\][ \t]*", line)
        if anchor is not None:
            given = anchor[1] or anchor[2]
        elif section is not None:
            title = section[2]
            found[title] = title
            found["_" + re.sub(r"[^\w]+", "_", title.lower()).strip("_")] = title
            if given:
                found[given] = title
            given = ""
        elif line.strip():
            given = ""
    return found


def _parts(text: str) -> tuple[list[str], dict[str, str]]:
    """The words and the named values of a line of attributes."""
    words: list[str] = []
    named: dict[str, str] = {}
    for part in re.findall(r"(?:[^,\"]|\"[^\"]*\")+|(?<=,)(?=,)", text):
        name, equals, value = part.partition("=")
        if equals and re.fullmatch(r"\s*[A-Za-z][\w-]*\s*", name):
            named["options" if name.strip() == "opts" else name.strip()] = value.strip().strip('"')
        else:
            words.append(part.strip().strip('"'))
    return words, named


def _cell(text: str) -> str:
    """A cell on one line, without the marks of lists in it."""
    lines = (line.strip() for line in text.split("\n"))
    shown = [item["text"] if (item := _ITEM.fullmatch(line)) else line for line in lines]
    return " ".join(line.removesuffix(" +") for line in shown if line and line != "+")


def _dedented(lines: Sequence[str]) -> list[str]:
    indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return [line[indent:] for line in lines]
