"""Find the leaves of a taxonomy: every qna.yaml below knowledge/, compositional_skills/ and foundational_skills/."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ilab.errors import Fault
from ilab.taxonomy import rules
from ilab.taxonomy.leaf import TOP_FOLDERS

QNA = "qna.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """The files of a taxonomy: `files` maps a leaf's path to its qna.yaml; `root` is the folder of the taxonomy."""

    root: Path
    files: dict[str, Path] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


def find(path: Path) -> Tree:
    """The leaves at or below `path`: a taxonomy, a folder inside one, or one qna.yaml. Sorted by path.

    Files that look like leaves and are not read give warnings. Folders whose names start with a dot are passed over;
    a folder reached twice through symbolic links is read once.
    """
    path = absolute(path)
    root = root_of(path)
    tree = Tree(root=root)
    if path.is_file() and path.name == QNA:
        tree.files[leaf_path(path, root)] = path
        return tree
    for file in [path] if path.is_file() else sorted(_files(path, tree)):
        relative = file.relative_to(root)
        if not _is_text(str(relative)):
            message = "the path is not UTF-8 text, so this file is not read"
            _warn(tree, "path-encoding", file, message, "rename the file or folder")
        elif file.name != QNA:
            _warn(tree, "file-name", file, "this file is not read because of its name", f"rename it to {QNA}")
        elif relative.parts[0] not in TOP_FOLDERS:
            hint = f"move it below one of {', '.join(f'{name}/' for name in TOP_FOLDERS)}"
            message = "this file is not read because it is in none of the top folders"
            _warn(tree, "top-folder", file, message, hint)
        else:
            tree.files[relative.parent.as_posix()] = file
    tree.faults.extend(_collisions(tree.files))
    return tree


def absolute(path: Path) -> Path:
    """`path` from the root of the file system, with symbolic links left as the user wrote them."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path.resolve would follow the links


def root_of(path: Path) -> Path:
    """The folder of the taxonomy that the absolute `path` lies in; without a top folder above, its own folder."""
    start = path.parent if path.is_file() else path
    if any((start / name).is_dir() for name in TOP_FOLDERS):
        return start
    tops = [folder for folder in (start, *start.parents) if folder.name in TOP_FOLDERS]
    if not tops:
        return start
    for top in reversed(tops):  # the outermost that is surely one: beside another top folder or a .git folder
        beside = {".git", *TOP_FOLDERS} - {top.name}
        if any((top.parent / name).exists() for name in beside):
            return top.parent
    return tops[0].parent


def leaf_path(file: Path, root: Path) -> str:
    """The path of the leaf that `file` describes, with `/`; the name of its folder if it lies in the root."""
    folder = file.parent.relative_to(root).as_posix()
    return file.parent.name if folder == "." else folder


def _files(top: Path, tree: Tree) -> Iterator[Path]:
    """Every file below `top` that is, or could be meant as, a qna.yaml."""
    seen: set[tuple[int, int]] = set()

    def failed(error: OSError) -> None:
        message = f"the folder cannot be read: {error.strerror}"
        _warn(tree, "unreadable-folder", Path(str(error.filename)), message, "check its permissions")

    for folder, subfolders, names in os.walk(top, followlinks=True, onerror=failed):
        status = Path(folder).stat()
        if (status.st_dev, status.st_ino) in seen:
            subfolders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in (name for name in subfolders if name.lower() == QNA):
            _warn(tree, "file-name", Path(folder, name), f"this is a folder, not a {QNA}", "put its file one folder up")
        yield from (Path(folder, name) for name in names if name.lower() in (QNA, "qna.yml") or _meant(name))


def _meant(name: str) -> bool:
    return name.lower() in ("qna.yaml.txt", "qna", "qna.json", "qa.yaml", "qna.yaml.yaml")


def _collisions(files: dict[str, Path]) -> Iterator[Fault]:
    """Leaves whose names are the same once a program joins their folders, or where case or accents do not count."""
    seen: dict[str, str] = {}
    for name, file in files.items():
        first = seen.setdefault(_joined(name), name)
        if first != name:
            message = f"joined to one word, the name of this leaf is the same as that of {first}"
            yield rules.fault("name-collision", path=str(file), message=message, hint="rename one of the folders")


def _joined(leaf: str) -> str:
    return unicodedata.normalize("NFC", leaf).casefold().replace("->", "_").replace("/", "_")


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _warn(tree: Tree, rule: str, file: Path, message: str, hint: str) -> None:
    shown = str(file).encode(errors="replace").decode()
    tree.faults.append(rules.fault(rule, path=shown, message=message, hint=hint))
