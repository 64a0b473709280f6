"""Read and check a taxonomy: what changed, what is wrong, and the leaves that can be used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ilab.base import digest
from ilab.errors import Fault, UserFileError
from ilab.taxonomy.changes import changed_leaves
from ilab.taxonomy.leaf import TOP_FOLDERS, Leaf
from ilab.taxonomy.lint import Linter, as_errors
from ilab.taxonomy.settings import TaxonomySettings
from ilab.taxonomy.tree import find


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """`changed` are the changed qna.yaml files, relative to `root`; `leaves` are those of them without an error."""

    root: Path
    changed: list[str]
    faults: list[Fault]
    leaves: list[Leaf]

    @property
    def errors(self) -> list[Fault]:
        """The findings that forbid to use the taxonomy."""
        return [fault for fault in self.faults if fault.severity == "error"]

    @property
    def warnings(self) -> list[Fault]:
        """The findings that do not."""
        return [fault for fault in self.faults if fault.severity != "error"]

    def digest(self) -> str:
        """Digest of the leaves' qna.yaml by path and content, for a stage's key; documents are not part of it."""
        return digest.of_value({leaf.path: digest.of_file(leaf.file) for leaf in self.leaves})

    def require_valid(self) -> None:
        """Raise `UserFileError` with every error if there is one."""
        if self.errors:
            count = len({fault.path for fault in self.errors})
            files = "1 taxonomy file has" if count == 1 else f"{count} taxonomy files have"
            raise UserFileError(f"{files} errors", self.errors, hint="mend them; `ilab taxonomy diff` checks again")


def check(path: Path, *, settings: TaxonomySettings, keep_leaves: bool = True) -> CheckResult:
    """Check the taxonomy, folder or file `path`; `settings.path` is not looked at.

    Only leaves changed since `settings.base` are read. `UserFileError` if there is no leaf at all; `ConfigError` for a
    base that git does not know. Faults of the files are returned, not raised. Without `keep_leaves` the result has no
    leaves, and memory does not grow with their size.
    """
    if not path.exists():
        raise UserFileError(f"the taxonomy {path} does not exist", [], hint="give the folder with --taxonomy-path")
    tree = find(path)
    if not tree.files:
        where = ", ".join(f"{name}/" for name in TOP_FOLDERS)
        raise UserFileError(f"no qna.yaml found below {path}", tree.faults, hint=f"put leaves into {where}")
    changed = changed_leaves(tree.root, tree.files, base=settings.base)
    linter = Linter(settings.yaml_rules)
    faults, leaves = [*tree.faults], []
    for name in changed:
        leaf, found = linter.file(tree.files[name], leaf=name)
        faults += found
        if keep_leaves and leaf is not None and not (settings.strict and found):
            leaves.append(leaf)
    if settings.strict:
        faults = as_errors(faults)
    files = [tree.files[name].relative_to(tree.root).as_posix() for name in changed]
    return CheckResult(root=tree.root, changed=files, faults=sorted(faults), leaves=leaves)
