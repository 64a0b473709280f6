"""A new leaf is valid but for what a person must write, and every such place is a finding."""

from pathlib import Path

import pytest

from ilab.errors import ConfigError
from ilab.taxonomy.leaf import KNOWLEDGE, SKILL, DocumentSource
from ilab.taxonomy.qna import parse_bytes
from ilab.taxonomy.skeleton import GROUNDED_SKILL, KINDS, attribution, place, save, skeleton, spread

FOLDERS = {KNOWLEDGE: "knowledge/a", SKILL: "compositional_skills/a", GROUNDED_SKILL: "compositional_skills/a"}


@pytest.mark.parametrize("kind", KINDS)
def test_only_placeholders_are_wrong(kind: str) -> None:
    text = skeleton(kind=kind, created_by="me").text()
    parsed = parse_bytes(text.encode(), file=Path("qna.yaml"), leaf=FOLDERS[kind])
    assert parsed.version == 3 and parsed.leaf is None
    assert {fault.rule for fault in parsed.faults} == {"placeholder"}
    assert sorted({fault.line for fault in parsed.faults}) == [
        number for number, line in enumerate(text.split("\n"), start=1) if "<" in line
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_filled_in_it_is_valid(kind: str) -> None:
    text = skeleton(kind=kind, created_by="me").text()
    filled = "\n".join(
        line.replace("<", f"text {number} ").replace(">", "") for number, line in enumerate(text.split("\n"))
    )
    parsed = parse_bytes(filled.encode(), file=Path("qna.yaml"), leaf=FOLDERS[kind])
    assert parsed.faults == [] and parsed.leaf is not None
    assert len(parsed.leaf.seeds) == (15 if kind == KNOWLEDGE else 5)
    assert all(bool(seed.context) == (kind != SKILL) for seed in parsed.leaf.seeds)


def test_contexts_are_spread_over_the_document() -> None:
    draft = skeleton(kind=KNOWLEDGE, created_by="me", contexts=[f"text {n}" for n in range(10)])
    assert [example.context for example in draft.examples] == ["text 0", "text 2", "text 4", "text 6", "text 8"]
    short = skeleton(kind=KNOWLEDGE, created_by="me", contexts=["only one"])
    assert [example.context for example in short.examples][:2] == ["only one", "<passage 2 of the document>"]
    assert spread([], 5) == []


def test_the_document_is_written_as_given() -> None:
    source = DocumentSource(repo="https://host/x.git", commit="abc123", patterns=("a.md", "*: b.md"))
    text = skeleton(kind=KNOWLEDGE, created_by="me", document=source).text()
    assert text.endswith(
        'document:\n  repo: https://host/x.git\n  commit: abc123\n  patterns:\n    - a.md\n    - "*: b.md"\n'
    )


@pytest.mark.parametrize(
    ("given", "kind", "path", "found"),
    [
        ("knowledge/science/birds", "", "knowledge/science/birds", KNOWLEDGE),
        ("science/birds/", KNOWLEDGE, "knowledge/science/birds", KNOWLEDGE),
        ("./foundational_skills/a-b", "", "foundational_skills/a-b", SKILL),
        ("écrits", GROUNDED_SKILL, "compositional_skills/écrits", GROUNDED_SKILL),
    ],
)
def test_places(given: str, kind: str, path: str, found: str) -> None:
    assert place(given, kind=kind) == (path, found)


@pytest.mark.parametrize(
    ("given", "kind", "says"),
    [
        ("birds", "", "give --kind"),
        ("knowledge", "", "knowledge/science/birds"),
        ("knowledge/My Birds!", "", "use knowledge/my_birds"),
        ("knowledge/a->b", "", "use knowledge/a-_b"),
        ("knowledge/../x", "", "knowledge/science/birds"),
        ("", KNOWLEDGE, "knowledge/science/birds"),
        ("knowledge/a", SKILL, "start it with compositional_skills/"),
    ],
)
def test_places_that_are_refused(given: str, kind: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        place(given, kind=kind)
    assert says in caught.value.hint


def test_an_attribution_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "attribution.txt").write_text("mine\n")
    assert save(tmp_path, "a: b\n", attribution=attribution()) == [tmp_path / "qna.yaml"]
    assert (tmp_path / "attribution.txt").read_text() == "mine\n"
