"""Passages are found in documents word for word, nearly, or not at all."""

import random
import re
from pathlib import Path

import pytest
import yaml

from ilab.documents.locate import Locator
from ilab.documents.markdown import markdown_to_text
from ilab.records.chunks import Document

EXAMPLE = Path(__file__).parents[3] / "examples" / "phoenix"
PAGE = (
    "# Stars\n\nAnkaa is the brightest star. It lies in Phoenix, and was named after 1800.\n\nGrus and Pavo are birds. "
    "They are known as the southern birds, and so is Tucana, which stands low in the north."
)


def locate(passage: str, *pages: str) -> tuple[str, float] | None:
    documents = [Document(leaf="l", source=f"{n}.md", text=page) for n, page in enumerate(pages or (PAGE,))]
    place = Locator(documents).find(passage)
    if place is None:
        return None
    text = next(document.text for document in documents if document.source == place.source)
    return text[place.start : place.end], round(place.share, 2)


def test_markup_case_and_white_space_do_not_count() -> None:
    assert locate('[Ankaa](Alpha_Phoenicis "wikilink") is the\n**BRIGHTEST** star.') == (
        "Ankaa is the brightest star",
        1.0,
    )


def test_a_passage_with_a_few_other_words_is_found_nearly() -> None:
    found = locate("Grus and also Pavo are birds. They are known as the southern birds, and so is Tucana.")
    assert found == ("Grus and Pavo are birds. They are known as the southern birds, and so is Tucana", 0.94)


def test_what_is_not_there_is_told_with_the_nearest_place() -> None:
    assert locate("A recipe for soup") is None
    assert locate("...") is None
    passage = "It lies in Phoenix said the old man from the sea to all who wanted to hear of it"
    text, share = locate(passage) or ("", 0.0)
    assert "It lies in Phoenix" in text and share < 0.8


def test_the_best_of_several_documents_is_told() -> None:
    documents = [Document(leaf="l", source=name, text=text) for name, text in (("a", "Nothing."), ("b", PAGE))]
    place = Locator(documents).find("was named after 1800")
    assert place is not None and (place.source, place.found) == ("b", True)


def test_letters_with_marks_are_equal_in_both_spellings() -> None:
    assert locate("Euge\u0300ne Delporte set them", "Eug\u00e8ne Delporte set them.") == (
        "Eug\u00e8ne Delporte set them",
        1.0,
    )


@pytest.mark.skipif(not EXAMPLE.is_dir(), reason="the example is not part of an installed package")
def test_every_context_of_the_seeds_page_is_found() -> None:
    page = Document(
        leaf="l", source="p", text=markdown_to_text((EXAMPLE / "documents/phoenix_constellation.md").read_text())
    )
    (file,) = EXAMPLE.glob("taxonomy/knowledge/**/qna.yaml")
    examples = yaml.safe_load(file.read_text())["seed_examples"]
    places = [Locator([page]).find(example["context"]) for example in examples]
    assert [place.share if place else 0 for place in places] == [1.0] * 5


def test_passages_with_words_lost_or_changed_are_found_where_they_were() -> None:
    rng = random.Random(3)
    words = [f"w{rng.randrange(400)}" for _ in range(4000)]
    text = " ".join(words)
    for _ in range(30):
        at = rng.randrange(3900)
        wanted = [word if rng.random() > 0.1 else "other" for word in words[at : at + 80]]
        place = Locator([Document(leaf="l", source="s", text=text)]).find(" ".join(wanted))
        assert place is not None and place.found
        first = len(re.findall(r"\w+", text[: place.start]))
        assert abs(first - at) <= 20
