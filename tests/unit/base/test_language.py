"""The language of a text is told when it is certain, and only then."""

import pytest

from ilab.base import language

pytest.importorskip("py3langid")

TEXTS = {
    "de": "Der See Mirra ist 412 Meter tief und wurde 1887 zum ersten Mal von Ada Holm vermessen.",
    "en": "Lake Mirra is 412 metres deep and was first mapped by Ada Holm in 1887.",
    "es": "El lago Mirra tiene 412 metros de profundidad y fue cartografiado por primera vez por Ada Holm en 1887.",
    "fr": "Le lac Mirra a une profondeur de 412 mètres et a été cartographié pour la première fois par Ada Holm.",
    "ja": "ミラ湖の深さは412メートルで、1887年にエイダ・ホルムが初めて測量した。",
    "pl": "Jezioro Mirra ma 412 metrów głębokości i po raz pierwszy zostało zmierzone przez Adę Holm.",
}


@pytest.mark.parametrize("code", TEXTS)
def test_a_sentence_is_enough(code):
    assert language.detect(TEXTS[code]) == code
    assert not language.differs(TEXTS[code], code)


@pytest.mark.parametrize(
    "code, question",
    [
        ("de", "Wie tief ist der See bei Orrin?"),
        ("es", "¿Quién cartografió por primera vez el lago?"),
        ("fr", "Quelle est la profondeur du lac ?"),
        ("en", "Who first mapped the lake?"),
    ],
)
def test_a_short_question_is_told_or_left_open(code, question):
    assert language.detect(question) in (code, "")
    assert not language.differs(question, code)


@pytest.mark.parametrize(
    "text",
    ["", "42", "1597, 1603 and 1604", "Ankaa, Beta Phoenicis", "Johann Bayer, Petrus Plancius", "412 m", "Ada Holm."],
)
def test_names_and_numbers_are_no_evidence(text):
    assert language.detect(text) == ""
    assert not any(language.differs(text, code) for code in TEXTS)


def test_code_links_and_markup_do_not_count():
    code = "```python\nfor name in the_list_of_names:\n    print(name, 'is in the list of names')\n```\n"
    text = f"# Anleitung\n\n{code * 20}\nDas Programm gibt alle Namen aus, die in der Liste stehen. https://example.org/en/the/list"
    assert language.detect(text) == "de"


def test_another_language_is_told_but_not_one_that_looks_alike():
    assert language.differs(TEXTS["en"], "de") and language.differs(TEXTS["de"], "en")
    assert language.differs(TEXTS["ja"], "fr")
    assert not language.differs(TEXTS["es"], "gl")
    assert not language.differs(TEXTS["pl"], "pl")


def test_a_long_document_is_in_the_language_of_most_of_it():
    assert language.detect(TEXTS["de"] * 20_000) == "de"
    assert language.detect(TEXTS["de"] * 100 + TEXTS["en"] * 20) == "de"
    assert language.detect(TEXTS["de"] * 50 + "| 12 | 14.5 | Ankaa |\n" * 500) == "de"


def test_languages_have_names():
    assert language.name("de") == "German" and language.name("") == "" and language.name("vo") == "vo"
