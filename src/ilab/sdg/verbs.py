"""English verbs by rule: the base form of a finite verb, and the auxiliary that a question about it needs.

A question moves the tense to an auxiliary: "Phoenix first appeared on a globe" -> "On what did Phoenix first appear?".
Spelling rules and a short list of irregular verbs are enough for the verbs of factual prose; a word that no rule knows
is not taken for a verb, so a wrong guess costs a question and not a false one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

BE = frozenset("is are was were".split())
HAVE = frozenset("has have had".split())
MODAL = frozenset("can could will would may might must should does do did".split())
AUXILIARIES = BE | HAVE | MODAL

_PAST = (
    "found:find made:make became:become began:begin saw:see gave:give took:take led:lead held:hold wrote:write "
    "built:build stood:stand left:leave ran:run won:win lost:lose met:meet kept:keep grew:grow rose:rise fell:fall "
    "drew:draw knew:know went:go came:come brought:bring bought:buy taught:teach thought:think sent:send spent:spend "
    "paid:pay said:say told:tell sold:sell broke:break chose:choose spoke:speak lay:lie drove:drive flew:fly "
    "used:use bore:bear fought:fight shot:shoot sank:sink swam:swim wore:wear felt:feel bound:bind "
    "struck:strike hid:hide"
)
_BASE = dict(pair.split(":") for pair in _PAST.split())
PARTICIPLES = frozenset(
    "found made built held written given taken seen known drawn born led lost won kept met taught thought sent said "
    "told sold broken chosen spoken set put cut driven worn grown run paid brought bought bound struck hidden".split()
)
"""Past participles that do not end in -ed."""
_ARTICLES = frozenset("The A An These Those Some Many Most All Its His Her Their".split())
_NO_VERB = frozenset(
    "red bed need seed feed speed bleed breed hundred indeed shed sacred naked rugged bus gas lens series species news "
    "its this his as us plus thus was has is does always perhaps besides sometimes towards across less years "
    "stars".split()
)
_ENDS_IN_E = re.compile(
    r"(?:[cvuz]|[^aeious]s|[aeiou]s|(?:cre|[^ae])at|ang|[^aeo]ul|[^aeiou](?:ot|ut|ud|id|ib|ap|yp|ag|ik|ok|ak|in|un|am|um|im|ar|ir|ur)|"
    r"lor|tor|dg|rg|[bcdfgkptz]l|[^aeiou]il)$"
)
_KEEPS = re.compile(r"(?:ss|ocus|[^r]eat|oat|eir|ain|hang)$(?<!chang)")


def base_form(word: str) -> tuple[str, str] | None:
    """(base form, auxiliary) of a finite verb in the past or the third person: "peaks" -> ("peak", "does").

    None for a word that is no such verb as far as the rules know.
    """
    if not word.isalpha() or not word.islower() or word in _NO_VERB or word in AUXILIARIES:
        return None
    if word in _BASE:
        return _BASE[word], "did"
    if word.endswith("ed") and len(word) > 4:
        return _without_ed(word), "did"
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
        return _without_s(word), "does"
    return None


def is_participle(word: str) -> bool:
    """Whether `word` can be a past participle: "established", "found"."""
    return word in PARTICIPLES or (word.endswith("ed") and len(word) > 4 and word not in _NO_VERB)


def find_finite(words: Sequence[str]) -> int:
    """Where the finite verb of a clause stands, counted in words; 0 where the rules find none.

    A word in -s counts only behind a name or a number: after other words it is more likely a plural.
    """
    for place, word in enumerate(words[1:], start=1):
        if word in AUXILIARIES:
            return place
        found = base_form(word)
        if found and (found[1] == "did" or (words[place - 1][:1].isupper() and words[place - 1] not in _ARTICLES)):
            return place
    return 0


def _without_ed(word: str) -> str:
    stem = word[:-2]
    if stem.endswith("i"):
        return stem[:-1] + "y"
    if len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in "sl":
        return stem[:-1]
    if _KEEPS.search(stem):
        return stem
    return stem + "e" if _ENDS_IN_E.search(stem) else stem


def _without_s(word: str) -> str:
    if word.endswith("ies"):
        return word[:-3] + "y" if len(word) > 4 else word[:-1]
    return word[:-2] if word.endswith(("ches", "shes", "sses", "xes", "zzes", "oes")) else word[:-1]
