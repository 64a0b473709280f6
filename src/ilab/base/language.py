"""Which language a text is written in, as an ISO 639-1 code; empty when the text is too short or it is not certain.

The model (n-grams of bytes, 139 languages) comes inside the package `py3langid`: nothing is fetched, and no text leaves
the machine. Only languages with a two-letter code are told apart.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from typing import Any

from ilab.base import lazy
from ilab.errors import MissingExtra

ENGLISH = "en"
_NOTHING = "zxx"
"""The model's class of numbers, code and other marks that are no language."""
_CERTAIN = 0.9
"""Least probability of a language with those that look alike. At this, none of 18,000 lines of translated manual pages
in German, Spanish, French, Italian, Polish and Japanese was taken for a language that is not in it."""
_LIKELY = 0.5
"""Least probability of the language by itself."""
_LEAST = 20
"""Least bytes of letters: some four words, or seven signs of a script such as Japanese."""
_PIECE = 1000
"""Characters that are judged at once: the model gets less certain with the length of a text."""
_MOST = 40
"""Pieces of a text that are looked at, from its beginning."""
_CODE = re.compile(r"^(```|~~~).*?^\1[^\n]*$|`[^`\n]+`|<[^>\n]+>|\bhttps?://\S+", re.MULTILINE | re.DOTALL)

_NAMES = {
    "af": "Afrikaans",
    "ar": "Arabic",
    "be": "Belarusian",
    "bg": "Bulgarian",
    "bn": "Bengali",
    "bs": "Bosnian",
    "ca": "Catalan",
    "cs": "Czech",
    "cy": "Welsh",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "eo": "Esperanto",
    "es": "Spanish",
    "et": "Estonian",
    "eu": "Basque",
    "fa": "Persian",
    "fi": "Finnish",
    "fr": "French",
    "ga": "Irish",
    "gl": "Galician",
    "gu": "Gujarati",
    "he": "Hebrew",
    "hi": "Hindi",
    "hr": "Croatian",
    "hu": "Hungarian",
    "hy": "Armenian",
    "id": "Indonesian",
    "is": "Icelandic",
    "it": "Italian",
    "ja": "Japanese",
    "ka": "Georgian",
    "kk": "Kazakh",
    "km": "Khmer",
    "kn": "Kannada",
    "ko": "Korean",
    "la": "Latin",
    "lb": "Luxembourgish",
    "lo": "Lao",
    "lt": "Lithuanian",
    "lv": "Latvian",
    "mk": "Macedonian",
    "ml": "Malayalam",
    "mn": "Mongolian",
    "mr": "Marathi",
    "ms": "Malay",
    "my": "Burmese",
    "nl": "Dutch",
    "nn": "Norwegian Nynorsk",
    "no": "Norwegian",
    "pa": "Punjabi",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sk": "Slovak",
    "sl": "Slovenian",
    "sq": "Albanian",
    "sr": "Serbian",
    "sv": "Swedish",
    "sw": "Swahili",
    "ta": "Tamil",
    "te": "Telugu",
    "th": "Thai",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "ur": "Urdu",
    "uz": "Uzbek",
    "vi": "Vietnamese",
    "zh": "Chinese",
}

_ALIKE = tuple(
    frozenset(group.split())
    for group in ("af fy nl", "be ru uk", "bg mk", "bs hr sl sr", "ca es gl pt an oc", "cs sk", "da nb nn no sv")
    + ("de lb", "hi mr ne sa", "id jv ms su", "kk ky tt ba uz", "la it", "fa ps ur", "zh ja")
)
"""Languages whose short texts are taken for each other."""


def detect(text: str) -> str:
    """The language of `text`: of most of its pieces, when it is long; code, links and other marks in it do not count.

    Raises `MissingExtra` where the package that tells languages is not installed.
    """
    prose = _CODE.sub(" ", text[: 2 * _MOST * _PIECE])
    starts = range(0, max(1, min(len(prose), _MOST * _PIECE)), _PIECE)
    found = Counter(filter(None, (_of_piece(prose[start : start + _PIECE]) for start in starts)))
    best = max(found, key=found.__getitem__, default="")
    return best if 2 * found[best] > found.total() else ""


def _of_piece(prose: str) -> str:
    if len("".join(filter(str.isalpha, prose)).encode()) < _LEAST:
        return ""
    found = {str(label): float(probability) for label, probability in _identifier().rank(prose)}
    best = max(found, key=found.__getitem__)
    certainty = sum(share for label, share in found.items() if _alike(label, best))
    return best if best != _NOTHING and found[best] >= _LIKELY and certainty >= _CERTAIN else ""


def differs(text: str, language: str) -> bool:
    """Whether `text` is certainly written in another language than `language`, and not in one that looks alike.

    Names and numbers alone are no evidence. False as well where languages cannot be told.
    """
    try:
        found = detect(text)
    except MissingExtra:
        return False
    return bool(found) and not _alike(found, language)


def name(code: str) -> str:
    """The English name of the language `code`; the code itself where we have none."""
    return _NAMES.get(code, code)


def check() -> None:
    """Raise `MissingExtra` where languages cannot be told."""
    lazy.check("py3langid", feature="telling the language of documents", extra="train")


def _alike(one: str, other: str) -> bool:
    return one == other or any({one, other} <= group for group in _ALIKE)


@cache
def _identifier() -> Any:
    found = lazy.need("py3langid.langid", feature="telling the language of documents", extra="train")
    identifier = found.LanguageIdentifier.from_model_file(found.MODEL_FILE, norm_probs=True)
    identifier.set_languages([label for label in identifier.labels if len(label) == 2 or label == _NOTHING])
    return identifier
