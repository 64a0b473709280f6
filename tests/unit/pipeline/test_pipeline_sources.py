"""Documents of leaves: read for a check, and searched for the contexts of the seeds."""

from dataclasses import replace
from pathlib import Path

from ilab.documents.settings import DocumentSettings
from ilab.pipeline.sources import check_documents
from ilab.taxonomy import qna
from ilab.taxonomy.leaf import Leaf
from ilab.taxonomy.rules import CONTEXT, DOCUMENT

PAGE = "# Stars\n\n" + "\n\n".join(
    f'The [star](star_{name} "wikilink") number {name} is *bright* and lies {name} light years away from the sun.'
    for name in ("one", "two", "three", "four", "five")
)
PAIRS = "".join(f"      - question: Which is it, {n}?\n        answer: The star.\n" for n in (1, 2, 3))


def leaf(folder: Path, *, changed: str = "") -> Leaf:
    contexts = PAGE.split("\n\n")[1:]
    if changed:
        contexts[2] = changed
    examples = "".join(f"  - context: |\n      {context}\n    questions_and_answers:\n{PAIRS}" for context in contexts)
    file = folder / "knowledge" / "stars" / "qna.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        f"version: 3\ndomain: stars\ncreated_by: someone\ndocument_outline: Stars.\nseed_examples:\n{examples}"
        "document:\n  path: stars.md\n"
    )
    (file.parent / "stars.md").write_text(PAGE)
    parsed = qna.parse(file, leaf="knowledge/stars")
    assert parsed.leaf is not None, parsed.faults
    return parsed.leaf


def found(leaf: Leaf, cache: Path) -> list[tuple[str, int, str]]:
    faults = check_documents([leaf], settings=DocumentSettings(), cache_dir=cache)
    return [(fault.rule, fault.line, fault.severity) for fault in faults]


def test_contexts_out_of_the_document_are_found_with_markup_and_without(tmp_path: Path) -> None:
    assert found(leaf(tmp_path), tmp_path / "cache") == []
    plain = "The star number three is bright and lies three light years away from the sun"
    assert found(leaf(tmp_path, changed=plain), tmp_path / "cache") == []


def test_a_context_that_is_not_in_the_document_is_told_with_its_line(tmp_path: Path) -> None:
    assert found(leaf(tmp_path, changed="Soup is made of water."), tmp_path / "cache") == [(CONTEXT, 24, "warning")]
    near = "The star number three is bright, and a long tale could be told about all who ever looked at it by night."
    (fault,) = check_documents([leaf(tmp_path, changed=near)], settings=DocumentSettings(), cache_dir=tmp_path / "c")
    assert "nearest is stars.md at `The star number three is bright" in fault.message


def test_a_document_that_cannot_be_read_is_told_at_the_leaf_and_the_others_are_checked(tmp_path: Path) -> None:
    good = leaf(tmp_path)
    assert good.document is not None
    bad = replace(good, document=replace(good.document, path="moons.md"))
    faults = check_documents([bad, good], settings=DocumentSettings(), cache_dir=tmp_path / "cache")
    assert [(fault.rule, fault.line) for fault in faults] == [(DOCUMENT, good.document.line)]
    assert "no document at" in faults[0].message and "stars.md" in faults[0].hint


def test_a_leaf_without_documents_is_passed_over(tmp_path: Path) -> None:
    assert found(replace(leaf(tmp_path), document=None), tmp_path / "cache") == []
