"""Every leaf is listed with its kind, its size and its state."""

from pathlib import Path

from ilab.taxonomy.lint import Linter
from ilab.taxonomy.listing import Listed, branches, listed, totals

FIXTURES = Path(__file__).parents[2] / "fixtures" / "taxonomy"


def read(path: str, changed: set[str] | None = None) -> Listed:
    return listed(FIXTURES / path / "qna.yaml", path=path, linter=Linter(), changed=changed)


def test_the_kinds() -> None:
    mirra = read("knowledge/geography/lakes/mirra", {"knowledge/geography/lakes/mirra"})
    assert (mirra.kind, mirra.contexts, mirra.questions, mirra.state) == ("knowledge", 5, 15, "valid")
    assert mirra.document.startswith("mirra.md") and mirra.words > 100 and mirra.changed
    log = read("compositional_skills/extraction/log", set())
    assert (log.kind, log.changed) == ("grounded skill", False) and log.contexts > 0
    greeting = read("compositional_skills/writing/greeting")
    assert (greeting.kind, greeting.contexts, greeting.changed) == ("skill", 0, None)


def test_a_leaf_with_errors_counts_as_that(tmp_path: Path) -> None:
    file = tmp_path / "qna.yaml"
    file.write_text("version: 3\n")
    leaf = listed(file, path="knowledge/a", linter=Linter(), changed=None)
    assert leaf.errors > 1 and leaf.state == f"{leaf.errors} errors" and leaf.questions == 0
    sums = totals([leaf, read("compositional_skills/writing/greeting")])
    assert (sums.leaves, sums.valid, sums.warnings, sums.errors) == (2, 1, 0, 1)


def leaf(path: str) -> Listed:
    return Listed(path=path, file=Path(path), kind="skill")


def test_folders_with_one_folder_share_a_line() -> None:
    leaves = [
        leaf(path) for path in ("knowledge/a/b/c", "knowledge/a/b/c/d", "knowledge/e", "skills/f/g/h", "skills/f/g/i")
    ]
    tree = [(branch.depth, branch.name, len(branch.leaves)) for branch in branches(leaves)]
    assert tree == [
        (0, "knowledge/", 3),
        (1, "a/b/", 2),
        (2, "c", 1),
        (2, "c/", 1),
        (3, "d", 1),
        (1, "e", 1),
        (0, "skills/", 2),
        (1, "f/g/", 2),
        (2, "h", 1),
        (2, "i", 1),
    ]
    assert [branch.name for branch in branches(leaves, depth=1)] == ["knowledge/", "skills/"]
    assert [branch.name for branch in branches(leaves, depth=2)] == ["knowledge/", "a/b/", "e", "skills/", "f/g/"]
