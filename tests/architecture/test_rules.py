"""Rules of the house that no linter knows."""

import ast
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest

import ilab

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src" / "ilab").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
VAGUE = {"utils", "util", "common", "helpers", "helper", "misc", "core"}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_no_module_has_a_name_that_says_nothing():
    named = [*SOURCES, *{path.parent for path in SOURCES}]
    assert [name_of(path) for path in named if path.stem in VAGUE] == []


def test_every_module_says_what_it_is():
    assert [name_of(path) for path in SOURCES if not ast.get_docstring(ast.parse(path.read_text()))] == []


def test_no_test_patches_our_own_code():
    found = []
    for path in TESTS:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and node.args and _patches(node.func) and _ours(node.args[0]):
                found.append(f"{name_of(path)}:{node.lineno}")
    assert found == []


def _patches(function: ast.expr) -> bool:
    """`patch(...)`, `mock.patch(...)`, `monkeypatch.setattr(...)` and the like."""
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in ("patch", "object", "setattr", "delattr") and "patch" in ast.unparse(function)


def _ours(target: ast.expr) -> bool:
    if isinstance(target, ast.Constant):
        return str(target.value).startswith("ilab")
    return ast.unparse(target).split(".")[0] == "ilab"


def test_runs_and_settings_are_written_through_atomic():
    """A plain `open(..., "w")` or `write_text` could leave half a file after a crash."""
    folders = [ROOT / "src" / "ilab" / "runs", ROOT / "src" / "ilab" / "config"]
    files = [file for folder in folders for file in folder.rglob("*.py")]
    found = [
        f"{name_of(file)}:{node.lineno}"
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and _writes_plainly(node)
    ]
    assert found == []


def _writes_plainly(call: ast.Call) -> bool:
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if name in ("write_text", "write_bytes"):
        return ast.unparse(function).split(".")[0] != "atomic"
    values = [
        value.value for value in [*call.args, *(kw.value for kw in call.keywords)] if isinstance(value, ast.Constant)
    ]
    return name == "open" and bool({"w", "wt", "w+"} & {value for value in values if isinstance(value, str)})


def test_public_names_are_exactly_all():
    for name in ilab.__all__:
        assert getattr(ilab, name).__name__ == name
    present = {
        name
        for name, value in vars(ilab).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert present == set(ilab.__all__)
    assert sorted(ilab.__all__) == ilab.__all__
    assert set(ilab.__all__) <= set(dir(ilab))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = ilab.Nothing


def test_import_contracts_hold():
    tool = Path(sys.executable).with_name("lint-imports")
    command = str(tool) if tool.exists() else shutil.which("lint-imports")
    if not command or not (ROOT / ".importlinter").exists():
        pytest.skip("import-linter or its contracts are not here")
    done = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
