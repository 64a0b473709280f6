"""The page "Write your taxonomy" is true: its files are written, its commands run, its outputs compared."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "write-your-taxonomy.md"
BLOCK = re.compile(
    r"(?:<!-- file: (?P<file>\S+) -->\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
MARK = "== end of block =="


def steps():
    """Files to write, commands to run, and outputs to compare with, in the order of the page; blocks for show go."""
    found = []
    for match in BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        kind = "file" if match["file"] else match["kind"]
        if kind == "text" and (not found or found[-1][0] != "sh"):
            continue
        if kind in ("file", "sh", "text"):
            found.append((kind, match["file"], match["text"]))
    return found


def script():
    """One shell script, so that `cd` and `export` last from block to block."""
    lines = ["exec 2>&1", "set -o pipefail"]
    for kind, file, text in steps():
        if kind == "sh":
            lines += [text.rstrip(), f"status=$?; echo '{MARK}'; [ $status = 0 ] || exit $status"]
        elif kind == "file":
            lines += [f"mkdir -p $(dirname {file})", f"cat > {file} <<'{MARK}'", text.rstrip("\n"), MARK]
    return "\n".join(lines) + "\n"


def test_the_page_is_true(tmp_path):
    pytest.importorskip("yamllint")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ILAB_", "XDG_", "GIT_"))}
    programs = str(Path(sys.executable).parent)
    environment |= {"HOME": str(tmp_path), "ILAB_HOME": str(tmp_path / "ilab"), "PYTHONUNBUFFERED": "1"}
    environment["PATH"] = f"{programs}{os.pathsep}{environment['PATH']}"
    work = tmp_path / "work"
    work.mkdir()
    done = subprocess.run(
        ["bash", "-c", script()], cwd=work, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout
    outputs = done.stdout.split(f"{MARK}\n")
    wanted = steps()
    shown = 0
    for number, (kind, _, text) in enumerate(wanted):
        if kind == "sh":
            output = outputs.pop(0)
            if wanted[number + 1 : number + 2] and wanted[number + 1][0] == "text":
                assert output == wanted[number + 1][2], text
                shown += 1
    assert shown >= 6


def test_every_link_of_the_page_leads_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE.read_text(encoding="utf-8")):
        assert (PAGE.parent / target).exists()
