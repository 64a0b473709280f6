"""The sample of the documentation as people copy it, and the shipped example."""

import shutil
from pathlib import Path

import pytest

from ilab.taxonomy.check import check
from ilab.taxonomy.qna import parse_bytes
from ilab.taxonomy.settings import TaxonomySettings

EXAMPLE = Path(__file__).parents[3] / "examples" / "phoenix" / "taxonomy"

PAIR = """\
      - question: |{five}
          What is the Phoenix constellation, part {n}?
        answer: |{six}
          Phoenix is a minor constellation in the southern sky.
"""
CONTEXT = """\
  - context: |{four}
      **Phoenix** is a minor [constellation](constellation "wikilink") in the
      [southern sky](southern_sky "wikilink"), part {n}.
    questions_and_answers:
"""
TAIL = """\
document_outline: | (7)
  Information about the Phoenix Constellation including the
  history, characteristics, and features of the stars in the constellation.
document:
  repo: https://github.com/<profile>/<repo-name> /(8)
  commit: <commit hash> (9)
  patterns: phoenix_constellation.md (10)
"""


def sample_with_callouts() -> str:
    """The documented sample, with the numbers that point at its explanation still in it."""
    text = "version: 3 (1)\ndomain: astronomy (2)\ncreated_by: <user-name> (3)\nseed_examples:\n"
    for n in range(5):
        text += CONTEXT.format(n=n, four="" if n else " (4)")
        text += "".join(PAIR.format(n=m, five="" if n + m else " (5)", six="" if n + m else " (6)") for m in range(3))
    return text + TAIL


def test_the_documented_sample_names_everything_to_mend_at_once() -> None:
    parsed = parse_bytes(sample_with_callouts().encode(), file=Path("qna.yaml"), leaf="knowledge/phoenix")
    found = [(fault.line, fault.message) for fault in parsed.faults]
    tail = sample_with_callouts().count("\n") - TAIL.count("\n")
    syntax = "syntax error: expected a comment or a line break, but found '('"
    assert found == [
        (1, "`version` must be a whole number, but is `3 (1)`"),
        (3, "`created_by` still has the placeholder `<user-name>`"),
        (5, syntax),
        (9, syntax),
        (11, syntax),
        (tail + 1, syntax),
        (tail + 5, "`https://github.com/<profile>/<repo-name> /(8)` is not a URL"),
        (tail + 6, "`<commit hash> (9)` is not a commit id"),
        (tail + 7, "`patterns` must be a list, but is text"),
    ]


@pytest.mark.skipif(not EXAMPLE.is_dir(), reason="the example is not part of an installed package")
def test_the_shipped_example_lacks_only_the_place_of_its_document(tmp_path: Path) -> None:
    result = check(EXAMPLE, settings=TaxonomySettings())
    assert [fault.message for fault in result.errors] == [
        "`repo` still has the placeholder `${PHOENIX_REPO}`",
        "`commit` still has the placeholder `${PHOENIX_COMMIT}`",
    ]
    assert result.warnings == []
    filled = tmp_path / "taxonomy"
    shutil.copytree(EXAMPLE, filled)
    (leaf,) = filled.rglob("phoenix/qna.yaml")
    text = leaf.read_text().replace("${PHOENIX_REPO}", "/repo").replace("${PHOENIX_COMMIT}", "abc1234")
    leaf.write_text(text)
    result = check(filled, settings=TaxonomySettings())
    assert result.faults == []
    assert sorted(leaf.kind for leaf in result.leaves) == ["knowledge", "skill", "skill"]
    assert all(len(leaf.seeds) >= 5 for leaf in result.leaves)
