"""AsciiDoc inside a line to Markdown: text of links and references, code, footnotes; emphasis and pictures left out."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ilab.documents.formats.markdown_writer import code_span, escape

_ATTRIBUTE = re.compile(r"(\\?)\{(!?[A-Za-z0-9_][\w-]*)\}")
_CHARACTERS = {
    "nbsp": " ",
    "zwsp": "",
    "empty": "",
    "blank": "",
    "sp": " ",
    "plus": "+",
    "amp": "&",
    "lt": "<",
    "gt": ">",
    "startsb": "[",
    "endsb": "]",
    "vbar": "|",
    "caret": "^",
    "asterisk": "*",
    "tilde": "~",
    "backslash": "\\",
    "backtick": "`",
    "two-colons": "::",
    "two-semicolons": ";;",
    "deg": "°",
    "apos": "'",
    "quot": '"',
    "lsquo": "‘",
    "rsquo": "’",
    "ldquo": "“",
    "rdquo": "”",
    "wj": "",
    "cpp": "C++",
}
_PASS = re.compile(r"\+\+\+(.{1,2000}?)\+\+\+|(?<!\w)pass:[a-z,]{0,9}\[([^\[\]]{0,2000})\]", re.DOTALL)
_QUOTED = re.compile(r"\"`(.+?)`\"|``(?!`)([^`']+?)''")
_SINGLE_QUOTED = re.compile(r"(?<!\w)'`(.+?)`'(?!\w)|(?<![\w`])`(?!`)([^`']+?)'(?![\w'])")
_CODE = re.compile(r"``\+?(.+?)\+?``|(?<![\w`])`\+?([^`]+?)\+?`(?![\w`])")
_PLUS = re.compile(r"(?<![\w+])\+(?![\s+])([^+]*[^\s+])\+(?![\w+])")
_FOOTNOTE = re.compile(r"footnote(?:ref)?:([\w-]*)\[((?:[^\[\]\\]|\\.|\[[^\[\]]{0,500}\]){0,3000})\]")
_PICTURE = re.compile(r"(?<!\w)(?:image|icon|anchor|bibitem):(?!:)[^\s\[]{0,2000}\[[^\[\]]{0,1000}\]")
_URL = re.compile(
    r"(?<![\w/])(?:link:|mailto:|xref:)?(?:[a-z][a-z+]*://)[^\s\[\]<>]{0,2000}\[((?:[^\[\]\\]|\\.){0,1000})\]"
    r"|(?<!\w)(?:link|mailto|xref):(?!:)([^\s\[]{0,2000})\[((?:[^\[\]\\]|\\.){0,1000})\]"
)
_REFERENCE = re.compile(r"<<#?([^<>,]+?)(?:,\s*([^<>]+?))?>>")
_MENU = re.compile(r"(?<!\w)menu:([^\[]+)\[([^\]]*)\]")
_MACRO = re.compile(r"(?<!\w)(?:kbd|btn|stem|latexmath|asciimath|indexterm2):\[((?:[^\[\]\\]|\\.){0,1000})\]")
_ANCHOR = re.compile(r"\[\[[^\[\]]+\]\]|(?<!\w)indexterm:\[[^\]]*\]|\(\(\([^()]*\)\)\)")
_TERM = re.compile(r"\(\((?!\()([^()]+)\)\)")
_ROLE = re.compile(r"\[[^\[\]]*\](?=[#*_`][^\s])")
_EMPHASIS = (
    re.compile(r"(?<!\\)\*\*(\S(?:.*?\S)?)\*\*"),
    re.compile(r"(?<![\w*\\])\*(?![\s*])([^*]*[^\s*])\*(?![\w*])"),
    re.compile(r"(?<!\\)__(\S(?:.*?\S)?)__"),
    re.compile(r"(?<![\w_\\])_(?![\s_])((?:[^_]|(?<=\w)_(?=\w))*[^\s_])_(?![\w_])"),
    re.compile(r"(?<!\\)##(\S(?:.*?\S)?)##"),
    re.compile(r"(?<![\w#\\&])#(?![\s#])([^#]*[^\s#])#(?![\w#])"),
    re.compile(r"(?<!\\)~(?![\s~])([^~\s]*)~"),
)
_POWER = re.compile(r"(?<!\\)\^(?![\s^])([^^\s]*)\^")
_ESCAPED = re.compile(r"\\(?=[*_#`+^~\[{<&:'\"(]|\w+:)")
_DASH = re.compile(r"(?<=\w)--(?=\w)|(?<=\s)--(?=\s)")
_SIGNS = {"(C)": "©", "(R)": "®", "(TM)": "™", "...": "…", "->": "→", "=>": "⇒", "<-": "←"}
_SIGN = re.compile(r"(?<!\\)(?:\(C\)|\(R\)|\(TM\)|\.\.\.|(?<![-<])->|=>|<-(?!-))")
_STASHED = re.compile("\x00(\\d+)\x00")


class Inline:
    """Turns text into Markdown. `titles` has the titles of sections by id, for references without a text of their own.

    `attributes` are looked up as they are at the time; footnotes gather in `notes`.
    """

    def __init__(self, attributes: Mapping[str, str], titles: Mapping[str, str]) -> None:
        self.notes: list[str] = []
        self._attributes = attributes
        self._titles = titles
        self._named: dict[str, int] = {}
        self._stash: list[str] = []

    def with_attributes(self, text: str) -> str:
        """`text` with `{name}` replaced where the name is known."""

        def value(match: re.Match[str]) -> str:
            name = match[2].lower()
            known = self._attributes.get(name, _CHARACTERS.get(name))
            return match[0][1:] if match[1] else match[0] if known is None else known

        for _ in range(4):  # the value of an attribute may name others
            replaced = _ATTRIBUTE.sub(value, text)
            if replaced == text or len(replaced) > 100_000:
                break
            text = replaced
        return text

    def markdown(self, text: str) -> str:
        """One paragraph, title or cell as Markdown on one line."""
        self._stash = []
        text = self._plain(text.replace("\x00", ""))
        text = escape(text)
        while _STASHED.search(text):
            text = _STASHED.sub(lambda match: self._stash[int(match[1])], text)
        return " ".join(text.split())

    def _keep(self, markdown: str) -> str:
        self._stash.append(markdown)
        return f"\x00{len(self._stash) - 1}\x00"

    def _plain(self, text: str) -> str:
        text = _PASS.sub(lambda match: self._keep(escape(_without_tags(match[1] or match[2] or ""))), text)
        text = _QUOTED.sub(lambda match: f"“{match[1] or match[2]}”", text)
        text = _SINGLE_QUOTED.sub(lambda match: f"‘{match[1] or match[2]}’", text)
        text = _CODE.sub(lambda match: self._keep(code_span(self.with_attributes(match[1] or match[2]))), text)
        text = self.with_attributes(text)
        text = _PLUS.sub(lambda match: self._keep(escape(match[1])), text)
        text = _FOOTNOTE.sub(self._footnote, text)
        text = _PICTURE.sub("", text)
        text = _ANCHOR.sub("", text)
        text = _URL.sub(self._link, text)
        text = _REFERENCE.sub(lambda match: match[2] or self._title(match[1]), text)
        text = _MENU.sub(lambda match: " > ".join([match[1], *(part for part in [match[2]] if part)]), text)
        text = _MACRO.sub(lambda match: match[1].replace("\\]", "]"), text)
        text = _TERM.sub(r"\1", text)
        text = _SIGN.sub(lambda match: _SIGNS[match[0]], text)
        text = _DASH.sub("—", _ROLE.sub("", text))
        for pattern in _EMPHASIS:
            text = pattern.sub(r"\1", text)
        text = _POWER.sub(_power, text)
        return _ESCAPED.sub("", text)

    def _footnote(self, match: re.Match[str]) -> str:
        name, text = match[1], match[2].replace("\\]", "]")
        if not text and name in self._named:
            return self._keep(f"[^{self._named[name]}]")
        number = len(self.notes) + 1
        self.notes.append("")
        nested = Inline(self._attributes, self._titles)
        self.notes[number - 1] = _STASHED.sub(lambda kept: self._stash[int(kept[1])], nested.kept(text))
        if name:
            self._named[name] = number
        return self._keep(f"[^{number}]")

    def kept(self, text: str) -> str:
        """`markdown` for a text that has pieces of another text in it, which stay as they are."""
        pieces = re.split("(\x00\\d+\x00)", text)
        return " ".join(
            "".join(piece if place % 2 else _loose(self, piece) for place, piece in enumerate(pieces)).split()
        )

    def _link(self, match: re.Match[str]) -> str:
        text = match[1] if match[3] is None else match[3]
        text = re.sub(r"(?:^|,)\s*(?:window|role|opts|title|id|subject)=.*$", "", text.strip(), flags=re.IGNORECASE)
        text = text.strip('"').removesuffix("^").replace("\\]", "]").strip()
        if text:
            return text
        target = match[2] if match[2] is not None else match[0].partition("[")[0].removeprefix("link:")
        if match[0].startswith("xref:"):
            return self._title(target.rpartition("#")[2])
        return self._keep(escape(target))

    def _title(self, name: str) -> str:
        return self.with_attributes(self._titles.get(name, name))


def _loose(inline: Inline, text: str) -> str:
    before = " " if text[:1].isspace() else ""
    after = " " if text[-1:].isspace() else ""
    return f"{before}{inline.markdown(text)}{after}"


def _power(match: re.Match[str]) -> str:
    """An exponent keeps its meaning: 10^6."""
    digit = match.string[match.start() - 1 : match.start()].isdigit() and re.fullmatch(r"[-−+]?\d+", match[1])
    return f"^{match[1]}" if digit else match[1]


def _without_tags(text: str) -> str:
    return re.sub(r"</?[A-Za-z][^<>]*>", "", text)
