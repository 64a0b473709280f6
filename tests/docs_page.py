"""A page of the documentation as a test runs it: files are written, commands run, outputs compared."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

_BLOCK = re.compile(
    r"(?:<!-- file: (?P<file>\S+) -->\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_MARK = "== end of block =="


class DocsPage:
    """The blocks of the page `name` in `docs/`, in their order. Text that follows no command is for show."""

    def __init__(self, name: str) -> None:
        self.path = Path(__file__).parents[1] / "docs" / name
        self._steps: list[tuple[str, str, str]] = []
        for match in _BLOCK.finditer(self.path.read_text(encoding="utf-8")):
            kind = "file" if match["file"] else match["kind"]
            if kind in ("file", "sh") or (kind == "text" and self._steps and self._steps[-1][0] == "sh"):
                self._steps.append((kind, match["file"] or "", match["text"]))

    def script(self, begin: str) -> str:
        """One shell script, so that `cd` and `export` last from block to block; `begin` comes first."""
        lines = [begin, "set -o pipefail"]
        for kind, file, text in self._steps:
            if kind == "sh":
                lines += [text.rstrip(), f"status=$?; echo '{_MARK}'; [ $status = 0 ] || exit $status"]
            elif kind == "file":
                lines += [f"mkdir -p $(dirname {file})", f"cat > {file} <<'{_MARK}'", text.rstrip("\n"), _MARK]
        return "\n".join(lines) + "\n"

    def compare(self, said: str) -> int:
        """Compare what the script said with what the page shows; returns how many outputs the page shows."""
        outputs = said.split(f"{_MARK}\n")
        shown = 0
        for number, (kind, _, text) in enumerate(self._steps):
            if kind != "sh":
                continue
            output = outputs.pop(0)
            following = self._steps[number + 1 : number + 2]
            if following and following[0][0] == "text":
                assert output == following[0][2], text
                shown += 1
        return shown

    def check_links(self) -> None:
        """Every link leads to a file or to a heading of the page."""
        text = self.path.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            assert (self.path.parent / target).exists()
        headings = {heading.lower().replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
        for anchor in re.findall(r"\]\(#([^)]+)\)", text):
            assert anchor in headings


def run(script: str, *, home: Path, work: Path, also: Mapping[str, str], timeout: float) -> subprocess.CompletedProcess:
    """Run a script in `work` as a user would whose programs are those of this environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ILAB_", "XDG_", "GIT_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    environment = kept | {"HOME": str(home), "ILAB_HOME": str(home / "ilab"), "PATH": path, **also}
    return subprocess.run(
        ["bash", "-c", script], cwd=work, env=environment, capture_output=True, text=True, timeout=timeout
    )
