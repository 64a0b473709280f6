"""Split prose into sentences, without a model: full stops that belong to abbreviations, initials and numbers are kept.

Nothing is lost or added: the sentences joined again equal the input, white space aside.
"""

from __future__ import annotations

import re

_CANDIDATE = re.compile(
    r"(?P<stop>[.!?…]+)[\"'”’»)\]]*(?=\s)"  # a Latin stop, closing marks, then white space
    r"|[。！？]+[」』”’）]*"  # a CJK stop needs no white space
    r"|\n[ \t]*(?=\n)"  # a blank line
)
_OPENING = "\"'“‘«([*_"
_LOOK_BACK = 40
"""How many characters before a stop are looked at for its word."""

_NEVER_LAST = frozenset(["dr", "mr", "mrs", "ms", "prof", "messrs", "gen", "capt", "lt", "sgt", "rev", "hon", "gov"])
_NEVER_LAST |= frozenset(["vs", "cf", "viz", "ca", "approx", "e.g", "i.e", "resp", "incl", "esp", "mt"])
_BEFORE_NUMBER = frozenset(["no", "nos", "fig", "figs", "eq", "eqs", "vol", "pp", "p", "ch", "sec", "art", "op", "ver"])
_SELDOM_LAST = frozenset(["etc", "inc", "ltd", "co", "corp", "jr", "sr", "al", "st", "dept", "est", "ph.d", "bros"])
_SELDOM_LAST |= frozenset(["jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec", "max"])
_STARTERS = frozenset(["the", "a", "an", "it", "its", "this", "that", "these", "those", "he", "she", "they", "we", "i"])
_STARTERS |= frozenset(["you", "in", "on", "at", "for", "from", "with", "by", "as", "but", "and", "or", "however"])
_STARTERS |= frozenset(["there", "here", "when", "while", "if", "after", "before", "since", "during", "until", "to"])
_STARTERS |= frozenset(["his", "her", "their", "our", "my", "your", "some", "many", "most", "all", "each", "every"])
_STARTERS |= frozenset(["no", "not", "one", "two", "three", "what", "who", "how", "why", "where", "which", "then"])
_STARTERS |= frozenset(["although", "because", "other", "another", "both", "such", "thus", "also", "only", "even"])
_STARTERS |= frozenset(["is", "are", "was", "were", "does", "do", "did", "another", "others", "later", "today"])
"""Words that open a sentence, and that hardly ever follow an abbreviation as part of a name."""


def sentences(text: str) -> list[str]:
    """The sentences of `text` in order, each without white space at its ends; empty for blank text."""
    pieces: list[str] = []
    start = 0
    for match in _CANDIDATE.finditer(text):
        if match["stop"] and not _ends_here(text, start, match):
            continue
        pieces.append(text[start : match.end()])
        start = match.end()
    pieces.append(text[start:])
    return [piece for piece in (piece.strip() for piece in pieces) if piece]


def _ends_here(text: str, start: int, match: re.Match[str]) -> bool:
    """Whether the Latin stop of `match`, in a sentence that began at `start`, ends that sentence."""
    following = text[match.end() : match.end() + _LOOK_BACK].lstrip()
    if not following:
        return True
    after = following.lstrip(_OPENING)
    if after[:1].islower() or following[0] in ",;:)]}.!?…%":
        return False
    if match["stop"] != ".":
        return True
    before = text[max(start, match.start() - _LOOK_BACK) : match.start()]
    word = before.split()[-1].lstrip(_OPENING) if before.split() else ""
    if before.strip() == word and start + _LOOK_BACK > match.start() and _is_enumerator(word):
        return False
    return not _is_abbreviation(word, after)


def _is_enumerator(word: str) -> bool:
    """`1.`, `12.` or `a.` at the start: the mark of a list entry."""
    return (word.isdecimal() and len(word) <= 3) or (len(word) == 1 and word.isalpha() and word != "I")


def _is_abbreviation(word: str, after: str) -> bool:
    """Whether the full stop after `word` belongs to it, with the text `after` going on."""
    lower = word.lower()
    opens = re.match(r"[^\W\d]+", after)
    starter = opens is not None and opens[0].lower() in _STARTERS
    if lower in _NEVER_LAST:
        return True
    if lower in _BEFORE_NUMBER or (len(word) == 1 and word.islower()):  # "No. 5", "c. 1600", "b. 1950"
        return after[:1].isdecimal()
    initials = re.fullmatch(r"[^\W\d_](\.-?[^\W\d_])*", word) is not None and (word[0].isupper() or "." in word)
    return (initials or lower in _SELDOM_LAST) and not starter
