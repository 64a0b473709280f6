"""Changed leaves against a base in real git repositories, and the check that commands use."""

import os
import subprocess
from pathlib import Path

import pytest

from ilab.errors import ConfigError, UserFileError
from ilab.taxonomy.check import check
from ilab.taxonomy.settings import TaxonomySettings

EXAMPLES = "".join(f"  - question: Q{n}?\n    answer: A{n}.\n" for n in range(1, 6))
SKILL = f"version: 3\ncreated_by: me\ntask_description: Do it.\nseed_examples:\n{EXAMPLES}"
IDENTITY = {
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, env={**os.environ, **IDENTITY}, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def write(root: Path, leaf: str, text: str = SKILL) -> None:
    (root / leaf).mkdir(parents=True, exist_ok=True)
    (root / leaf / "qna.yaml").write_text(text)
    (root / leaf / "attribution.txt").write_text("mine")


def commit(root: Path, message: str = "more") -> str:
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", message)
    return git(root, "rev-parse", "HEAD")


def changed(path: Path, base: str) -> list[str]:
    names = check(path, settings=TaxonomySettings(base=base)).changed
    return [name.removeprefix("compositional_skills/").removesuffix("/qna.yaml") for name in names]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with the leaves a, b and c on main, and a branch `work` that is checked out."""
    root = tmp_path / "taxonomy"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    for leaf in "abc":
        write(root, f"compositional_skills/{leaf}")
    commit(root)
    git(root, "tag", "v1")
    git(root, "checkout", "-q", "-b", "work")
    return root


def test_committed_staged_unstaged_and_untracked_leaves_count(root: Path) -> None:
    assert changed(root, "main") == []
    write(root, "compositional_skills/a", SKILL + "# a\n")
    commit(root)
    write(root, "compositional_skills/b", SKILL + "# b\n")
    git(root, "add", "-A")
    write(root, "compositional_skills/c", SKILL + "# c\n")
    write(root, "compositional_skills/new leaf/é")
    assert changed(root, "main") == ["a", "b", "c", "new leaf/é"]
    assert changed(root, "v1") == ["a", "b", "c", "new leaf/é"]
    assert changed(root, "HEAD") == ["b", "c", "new leaf/é"]
    assert changed(root, "empty") == ["a", "b", "c", "new leaf/é"]


def test_renamed_leaves_count_at_the_new_path_and_deleted_ones_do_not(root: Path) -> None:
    git(root, "mv", "compositional_skills/a", "compositional_skills/moved")
    git(root, "rm", "-q", "-r", "compositional_skills/b")
    (root / "compositional_skills/c/qna.yaml").unlink()
    assert changed(root, "main") == ["moved"]
    commit(root)
    assert changed(root, "main") == ["moved"]


def test_commits_on_the_base_after_the_fork_do_not_count(root: Path) -> None:
    write(root, "compositional_skills/a", SKILL + "# mine\n")
    commit(root)
    git(root, "checkout", "-q", "main")
    write(root, "compositional_skills/b", SKILL + "# theirs\n")
    tip = commit(root)
    git(root, "checkout", "-q", "work")
    assert changed(root, "main") == ["a"]
    assert changed(root, tip[:12]) == ["a"]


def test_a_remote_branch_is_a_base(root: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--branch", "main", str(root), str(clone))
    write(clone, "compositional_skills/c", SKILL + "# c\n")
    commit(clone)
    for base in ("origin/main", "remotes/origin/main", "refs/remotes/origin/main", "origin", "HEAD~1", "v1"):
        assert changed(clone, base) == ["c"]


def test_ignored_files_do_not_count(root: Path) -> None:
    (root / ".gitignore").write_text("draft/\n")
    write(root, "compositional_skills/draft")
    assert changed(root, "main") == []


def test_a_document_beside_the_leaf_counts_and_its_attribution_does_not(root: Path) -> None:
    (root / "compositional_skills/a/attribution.txt").write_text("new")
    (root / "compositional_skills/b/docs").mkdir()
    (root / "compositional_skills/b/docs/page.md").write_text("new")
    assert changed(root, "main") == ["b"]


def test_a_taxonomy_in_a_subfolder_and_a_single_file(root: Path) -> None:
    write(root / "deep", "compositional_skills/d")
    write(root, "compositional_skills/a", SKILL + "# a\n")
    assert changed(root / "deep", "main") == ["d"]
    assert changed(root / "compositional_skills/a/qna.yaml", "main") == ["a"]
    assert changed(root / "compositional_skills/b/qna.yaml", "main") == []


def test_nothing_in_the_repository_is_touched(root: Path) -> None:
    write(root, "compositional_skills/a", SKILL + "# staged\n")
    git(root, "add", "-A")
    write(root, "compositional_skills/b", SKILL + "# b\n")
    (root / "compositional_skills/c/qna.yaml").touch()  # git would like to write its index anew

    def state() -> dict[Path, tuple[int, bytes]]:
        files = (path for path in root.rglob("*") if path.is_file())
        return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}

    before = state()
    assert any(path.name == "index" for path in before) and any(path.name == "HEAD" for path in before)
    for base in ("main", "v1", "HEAD", "empty"):
        changed(root, base)
    assert state() == before


def test_a_second_work_tree_is_a_repository(root: Path, tmp_path: Path) -> None:
    git(root, "worktree", "add", "-q", str(tmp_path / "second"), "-b", "second", "main")
    write(tmp_path / "second", "compositional_skills/a", SKILL + "# a\n")
    assert changed(tmp_path / "second", "main") == ["a"]
    assert changed(root, "main") == []


def test_leaves_in_a_submodule_count_with_it(root: Path, tmp_path: Path) -> None:
    module = tmp_path / "module"
    module.mkdir()
    git(module, "init", "-q", "-b", "main")
    write(module, "x/y")
    commit(module)
    git(root, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(module), "compositional_skills/sub")
    assert changed(root, "main") == ["sub/x/y"]
    commit(root)
    assert changed(root, "HEAD") == []
    write(root, "compositional_skills/sub/x/y", SKILL + "# here\n")
    assert changed(root, "HEAD") == ["sub/x/y"]
    git(root, "-C", "compositional_skills/sub", "checkout", "-q", ".")
    write(root, "compositional_skills/sub/x/new")
    assert changed(root, "HEAD") == ["sub/x/new", "sub/x/y"]


def test_leaves_in_a_repository_within_count_as_untracked(root: Path) -> None:
    inner = root / "compositional_skills/inner"
    write(inner, "x")
    git(inner, "init", "-q", "-b", "main")
    commit(inner)
    assert changed(root, "main") == ["inner/x"]


def test_hooks_that_set_git_variables_do_not_mislead(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    assert changed(root, "main") == []


def test_an_unknown_base_lists_the_known_ones(root: Path) -> None:
    for base in ("mian", "--output=x", "main:compositional_skills"):
        with pytest.raises(ConfigError, match="git knows no branch, tag or commit") as caught:
            changed(root, base)
        assert "`main`, `work`, `v1`" in caught.value.hint
        assert caught.value.exit_code == 3


def test_a_base_without_a_common_commit_is_refused(root: Path) -> None:
    git(root, "checkout", "-q", "--orphan", "other")
    commit(root, "another start")
    with pytest.raises(ConfigError, match="no commit in common"):
        changed(root, "main")


def test_without_a_repository_only_the_base_empty_works(tmp_path: Path) -> None:
    write(tmp_path, "compositional_skills/a")
    assert changed(tmp_path, "empty") == ["a"]
    with pytest.raises(ConfigError, match="is not in a git repository") as caught:
        changed(tmp_path, "main")
    assert "`empty`" in caught.value.hint


def test_a_repository_without_a_commit_is_refused(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    write(tmp_path, "compositional_skills/a")
    with pytest.raises(ConfigError, match="has no commit yet"):
        changed(tmp_path, "main")


def test_an_empty_taxonomy_is_an_error_of_the_user(tmp_path: Path) -> None:
    for path, message in ((tmp_path, "no qna.yaml found below"), (tmp_path / "missing", "does not exist")):
        with pytest.raises(UserFileError, match=message) as caught:
            check(path, settings=TaxonomySettings())
        assert caught.value.exit_code == 3
        assert caught.value.hint


def test_faults_are_collected_from_changed_leaves_only(root: Path) -> None:
    write(root, "compositional_skills/a", "version: 3\n")
    commit(root)
    write(root, "compositional_skills/b", SKILL + "x: 1\n")
    result = check(root, settings=TaxonomySettings(base="HEAD"))
    assert [fault.message for fault in result.errors] == ["unknown key `x` in a skill leaf"]
    assert result.leaves == []
    everything = check(root, settings=TaxonomySettings())
    assert [leaf.path for leaf in everything.leaves] == ["compositional_skills/c"]
    with pytest.raises(UserFileError, match="2 taxonomy files have errors") as caught:
        everything.require_valid()
    assert len(caught.value.faults) == len(everything.errors) == 4


def test_strict_refuses_leaves_with_warnings(root: Path) -> None:
    write(root, "compositional_skills/a", SKILL.replace("A1.", "A1. "))
    result = check(root, settings=TaxonomySettings(base="main", strict=True))
    assert result.leaves == []
    assert len(result.errors) == 1
    relaxed = check(root, settings=TaxonomySettings(base="main"))
    assert len(relaxed.leaves) == len(relaxed.warnings) == 1
    relaxed.require_valid()


def test_the_digest_follows_the_content_of_what_is_read(root: Path) -> None:
    first = check(root, settings=TaxonomySettings()).digest()
    assert check(root, settings=TaxonomySettings()).digest() == first
    write(root, "compositional_skills/a", SKILL + "# a\n")
    assert check(root, settings=TaxonomySettings()).digest() != first


def test_a_leaf_behind_a_link_counts_when_the_link_is_new(root: Path, tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", "x")
    (root / "compositional_skills/linked").symlink_to(tmp_path / "elsewhere")
    assert changed(root, "main") == ["linked/x"]


def test_without_its_leaves_the_result_tells_the_same(root: Path) -> None:
    write(root, "compositional_skills/a", "version: 3\n")
    kept, dropped = (check(root, settings=TaxonomySettings(), keep_leaves=keep) for keep in (True, False))
    assert (len(kept.leaves), dropped.leaves) == (2, [])
    assert (kept.changed, kept.faults) == (dropped.changed, dropped.faults)
