"""Markdown inside a paragraph to plain text: links to their text, no images, emphasis, footnote marks or tags."""

from __future__ import annotations

import html
import re
from collections.abc import Container

_CODE_SPAN = re.compile(r"(?<![`\\])(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_STASHED = re.compile("\x00(\\d+)\x00")
_WIKI_LINK = re.compile(r"\[\[(?:[^\[\]|]*\|)?([^\[\]|]+)\]\]")
_FOOTNOTE_MARK = re.compile(
    r"\[\^[^\]\s]+\]"  # [^1]
    r"|<sup>\s*\[[^\]<>]{0,40}\]\s*</sup>"
    r"|<ref\b[^<>]{0,300}/>|<ref\b[^<>]{0,300}>[^<]{0,1000}</ref>",
    re.IGNORECASE,
)
_AUTOLINK = re.compile(r"<((?:https?://|ftp://|mailto:)[^<>\s]+|[\w.+-]+@[\w-]+\.[\w.-]+)>")
_EXPONENT = re.compile(r"(?<=\d)<sup>\s*([-−+]?\d+)\s*</sup>", re.IGNORECASE)
_GLUED = (
    "a|abbr|b|bdi|bdo|big|cite|code|del|dfn|em|font|i|ins|kbd|mark|nobr|q|s|samp|small|span|strong|sub|sup|tt|u|var|wbr"
)
_APART = (
    "blockquote|br|center|col|colgroup|dd|details|div|dl|dt|figcaption|figure|h[1-6]|hr|img|li|ol|p|pre|references|section"
    "|summary|table|tbody|td|tfoot|th|thead|tr|ul"
)
_TAG_GLUED = re.compile(rf"</?(?:{_GLUED})(?:\s[^<>]*)?/?>", re.IGNORECASE)
_TAG_APART = re.compile(rf"</?(?:{_APART})(?:\s[^<>]*)?/?>", re.IGNORECASE)
_EMPHASIS = (
    re.compile(r"\*{3}(?![\s*])([^*]*[^\s*])\*{3}"),
    re.compile(r"(?<![\w*])\*(?![\s*])([^*]*[^\s*])\*(?![\w*])"),
    re.compile(r"\*\*(?![\s*])([^*]*[^\s*])\*\*"),
    re.compile(r"(?<![\w*])\*(?![\s*])([^*]*[^\s*])\*(?![\w*])"),
    re.compile(r"(?<!\w)_{1,3}(?![\s_])([^_]*[^\s_])_{1,3}(?!\w)"),
    re.compile(r"~~(?![\s~])([^~]*[^\s~])~~"),
)
_LINK_TARGET = re.compile(
    r"""\s*(?:<[^<>]*>|[^\s<][^\s]*|)(?:\s+(?:"[^"]*"|'[^']*'|\([^()]*\)))?\s*""",
)
_LONGEST_TARGET = 2000


def to_plain(text: str, *, references: Container[str] = ()) -> str:
    """One paragraph of Markdown as plain text on one line; `references` are the known link labels, in lower case."""
    stash: list[str] = []

    def keep(kept: str) -> str:
        stash.append(kept)
        return f"\x00{len(stash) - 1}\x00"

    text = text.replace("\x00", "")
    text = _CODE_SPAN.sub(lambda match: keep(match[0]), text)
    text = _ESCAPE.sub(lambda match: keep(match[1]), text)
    text = _FOOTNOTE_MARK.sub("", text)
    text = _WIKI_LINK.sub(r"\1", text)
    text = without_links(text, references=references)
    text = _AUTOLINK.sub(lambda match: keep(match[1]), text)
    text = without_tags(text)
    for pattern in _EMPHASIS:
        text = pattern.sub(r"\1", text)
    text = html.unescape(text).replace("\xa0", " ")
    text = _STASHED.sub(lambda match: stash[int(match[1])], text)
    return " ".join(text.split())


def without_tags(text: str) -> str:
    """`text` without HTML tags; an exponent in `<sup>` keeps its meaning: 10<sup>6</sup> becomes 10^6."""
    return _TAG_APART.sub(" ", _TAG_GLUED.sub("", _EXPONENT.sub(r"^\1", text)))


def without_links(text: str, *, references: Container[str] = ()) -> str:
    """`text` with links replaced by their text, and images removed. Brackets that are no link stay."""
    removed: list[tuple[int, int]] = []
    for opening, closing in sorted(_brackets(text).items()):
        end = _link_end(text, opening, closing, references)
        if end is None:
            continue
        if text[opening - 1 : opening] == "!" and opening > 0:
            removed.append((opening - 1, end))
        else:
            removed += [(opening, opening + 1), (closing, end)]
    kept, at = [], 0
    for begin, end in sorted(removed):
        kept.append(text[at:begin] if begin > at else "")
        at = max(at, end)
    return "".join(kept) + text[at:]


def _brackets(text: str) -> dict[int, int]:
    """Where each `[` that is closed is closed."""
    pairs, waiting = {}, []
    for match in re.finditer(r"[\[\]]", text):
        if match[0] == "[":
            waiting.append(match.start())
        elif waiting:
            pairs[waiting.pop()] = match.start()
    return pairs


def _link_end(text: str, opening: int, closing: int, references: Container[str]) -> int | None:
    """Where the link or image that starts at `opening` ends, or None if the brackets are none."""
    following = text[closing + 1 : closing + 2]
    if following == "(":
        return _target_end(text, closing + 1)
    if closing - opening > _LONGEST_TARGET:
        return None
    label = text[opening + 1 : closing]
    if following == "[":
        end = text.find("]", closing + 2, closing + 2 + _LONGEST_TARGET)
        second = text[closing + 2 : end] or label
        return end + 1 if end > 0 and second.lower() in references else None
    return closing + 1 if label.lower() in references else None


def _target_end(text: str, start: int) -> int | None:
    """The index behind the `(target "title")` that starts at `start`, or None if it is prose in parentheses."""
    depth, quoted = 0, False
    for index in range(start, min(len(text), start + _LONGEST_TARGET)):
        character = text[index]
        if character == '"' and (quoted or text[index - 1].isspace()):
            quoted = not quoted
        elif not quoted and character in "()":
            depth += 1 if character == "(" else -1
            if depth == 0:
                return index + 1 if _LINK_TARGET.fullmatch(text, start + 1, index) else None
    return None
