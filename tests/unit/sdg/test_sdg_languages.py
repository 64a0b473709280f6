"""Documents in another language than English: what is made by rule is left out, what strays is rejected."""

import pytest

from ilab.llm.scripted import ScriptedChatModel
from ilab.sdg import flow, languages
from ilab.sdg.blocks.base import Tools
from ilab.sdg.blocks.document import spans, statements
from ilab.sdg.blocks.filter import rules
from ilab.sdg.row import Box
from ilab.sdg.settings import SdgSettings

pytest.importorskip("py3langid")

GERMAN = (
    "Der See Mirra ist 412 Meter tief. Er wurde 1887 zum ersten Mal von Ada Holm vermessen. Am östlichen Ufer liegt "
    "die Stadt Orrin, ein Fischereihafen mit 1940 Einwohnern."
)
JAPANESE = "ミラ湖の深さは412メートルで、1887年にエイダ・ホルムが初めて測量した。東岸にはオリンの町がある。"


def row(question="", answer="", text=GERMAN, language="de", **columns):
    about = {"leaf": "knowledge/x", "kind": "knowledge", "chunk": "k#0", "title": "Mirra", "origin": "pairs"}
    return {**about, "question": question, "answer": answer, "text": text, "language": language, **columns}


def tools():
    return Tools(teacher=ScriptedChatModel(lambda *_: ""), scorer=None, render=str, settings=SdgSettings())


def verdict(**columns):
    box = Box()
    kept = rules([row(**columns)], box, tools())
    return "" if kept else box.rejected[0]["reason"]


@pytest.mark.parametrize("block", [statements, spans])
def test_rules_make_nothing_of_a_german_chunk_and_say_so_once(block):
    box = Box()
    assert block([row()], box, tools()) == []
    assert [one["reason"] for one in box.rejected] == [languages.NOT_ENGLISH]


@pytest.mark.parametrize("language", ["", "en"])
def test_english_and_unknown_chunks_are_read_by_rule(language):
    text = "Lake Mirra is 412 metres deep. It was first mapped by Ada Holm in 1887."
    box = Box()
    assert statements([row(text=text, language=language)], box, tools())
    assert spans([row(text=text, language=language)], box, tools())
    assert box.rejected == []


def test_sentences_that_are_asked_for_are_given_in_any_language():
    [found] = statements([row(uncovered=["Der See Mirra ist 412 Meter tief."])], Box(), tools())
    assert found["statement"] == found["answer"] == "Der See Mirra ist 412 Meter tief."


@pytest.mark.parametrize(
    "question, answer",
    [
        ("Wer hat den See Mirra zum ersten Mal vermessen?", "Ada Holm hat den See 1887 zum ersten Mal vermessen."),
        ("Wie tief ist der See Mirra?", "412 Meter."),
        ("Welche Stadt liegt am östlichen Ufer des Sees Mirra?", "Die Stadt Orrin liegt dort."),
    ],
)
def test_good_german_pairs_are_kept(question, answer):
    assert verdict(question=question, answer=answer) == ""


def test_a_pair_in_english_about_a_german_document_is_rejected():
    pair = {"question": "Who was the first to measure the depth of Lake Mirra?", "answer": "Ada Holm."}
    assert verdict(**pair) == languages.STRAYED
    pair = {"question": "Wer hat den See Mirra vermessen?", "answer": "Ada Holm was the first to measure this lake."}
    assert verdict(**pair) == languages.STRAYED


def test_an_answer_that_the_document_quotes_is_no_stray():
    quote = "The lake is deeper than anything we had ever measured"
    text = f'{GERMAN} Holm schrieb: "{quote}".'
    assert verdict(question="Was schrieb Ada Holm über den See Mirra?", answer=quote, text=text) == ""


def test_german_nouns_are_no_names_and_endings_may_differ():
    answer = "In der Hafenstadt Orrin leben 1940 Einwohnerinnen."
    assert verdict(question="Wie viele Menschen leben in der Stadt Orrin?", answer=answer) == ""


def test_words_and_numbers_that_the_document_lacks_are_found_in_german_too():
    said = verdict(question="Wie tief ist der See Mirra?", answer="Der See ist 500 Meter tief.")
    assert said == "a number of the answer is not in the document"
    said = verdict(question="Was liegt am Ufer?", answer="Dort befinden sich mehrere große Windmühlen und Brauereien.")
    assert said == "the answer's words are not in the document"


def test_languages_without_spaces_are_counted_and_compared_by_signs():
    def japanese(question, answer):
        return verdict(question=question, answer=answer, text=JAPANESE, language="ja")

    assert japanese("ミラ湖を初めて測量したのは誰ですか？", "エイダ・ホルムが初めて測量した。") == ""
    assert japanese("ミラ湖はどこ？", "南極大陸の氷床下深部。") == "the answer's words are not in the document"
    assert japanese("深" * 200, "412メートル。") == "question too short or too long"


def test_skills_may_answer_in_any_language():
    found = row("Translate into German: good morning, my dear friend", "Guten Morgen, mein lieber Freund", text="")
    assert rules([{**found, "kind": "freeform_skill", "language": "en"}], Box(), tools())


def test_the_warning_names_the_document_and_what_works():
    shipped = {name: flow.load(name) for name in flow.shipped()}
    told = languages.warning("see.md", "de", name="simple", flow=shipped["simple"], others=shipped)
    assert "see.md is in German" in told and "`simple` makes nothing" in told and "full" in told
    told = languages.warning("see.md", "de", name="full", flow=shipped["full"], others=shipped)
    assert "of the flow `full` only" in told and "facts" not in told.replace("facts_", "")
