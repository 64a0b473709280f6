"""How fast `ilab taxonomy diff` is: on a tree of 10,000 leaves, and against the reference on 16.

    python bench/taxonomy_diff.py [--leaves 10000] [--reference PYTHON]

A tree of knowledge and skills is written, the same one every time. Checked are all its leaves (base `empty`) and then,
in git, the 100 that changed since the branch `main`. The limits are 10 s and 300 MB for all leaves, start of the
program included. With `--reference`, the interpreter of an environment that has the packages instructlab and yamllint,
16 skills are checked by both programs in turn, and the limit is a tenth of its time. The result is written to
bench/results/taxonomy_diff.json; the exit status is 1 when a limit is passed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from help_time import command, cpu

SECONDS, MEGABYTES, FACTOR = 10.0, 300.0, 10.0
CHANGED, PAIRS, SMALL = 100, 7, 16
RESULT = Path(__file__).parent / "results" / "taxonomy_diff.json"
WORDS = (
    "the of a and in is that for with on as by from are was at which between star field river engine valve theorem "
    "protein budget archive signal orbit lens market treaty measure pressure bright early several northern ordinary "
    "follows describes contains requires depends shows explains reaches changes “quoted” naïve café −39° 1,603 (old) "
    "wikilink [Grus](Grus) **bold** e.g. 23.5h it's — Ankaa:"
).split()


# --- the tree ---


def sentence(dice: random.Random, words: int) -> str:
    text = " ".join(dice.choice(WORDS) for _ in range(words)).rstrip(":")
    return text[0].upper() + text[1:] + "."


def block(text: str, indent: int) -> str:
    """`text` as a literal block, its lines below 80 characters."""
    lines, line = [], ""
    for word in text.split():
        if len(line) + len(word) > 72 - indent:
            lines.append(line)
            line = ""
        line = f"{line} {word}".lstrip()
    return "|\n" + "".join(" " * indent + part + "\n" for part in (*lines, line))


def knowledge(dice: random.Random, number: int) -> str:
    """A leaf of about 11 kB: five contexts, three pairs each."""
    parts = [f"version: 3\ndomain: subject {number}\ncreated_by: someone\nseed_examples:\n"]
    for _ in range(5):
        parts.append("  - context: " + block(" ".join(sentence(dice, 18) for _ in range(10)), 6))
        parts.append("    questions_and_answers:\n")
        for _ in range(3):
            parts.append("      - question: " + block(sentence(dice, 11)[:-1] + "?", 10))
            parts.append("        answer: " + block(sentence(dice, 24), 10))
    parts.append("document_outline: " + block(sentence(dice, 14), 2))
    parts.append(f"document:\n  repo: https://example.com/{number}\n  commit: {dice.getrandbits(160):040x}a\n")
    parts.append("  patterns:\n    - '*.md'\n")
    return "".join(parts)


def skill(dice: random.Random, number: int) -> str:
    """A leaf of about 2 kB: six examples, every other one grounded."""
    parts = [f"version: 3\ntask_description: Task {number}.\ncreated_by: someone\nseed_examples:\n"]
    for _ in range(6):
        parts.append("  - question: " + block(sentence(dice, 14)[:-1] + "?", 6))
        if number % 4 == 1:
            parts.append("    context: " + block(sentence(dice, 40), 6))
        parts.append(f"    answer: '{sentence(dice, 6).replace(chr(39), chr(39) * 2)}'\n")
    return "".join(parts)


def write_tree(root: Path, leaves: int, *, skills_only: bool = False) -> int:
    """Write `leaves` leaves, half of them knowledge; their bytes together."""
    dice, size = random.Random(7), 0
    for number in range(leaves):
        is_skill = skills_only or number % 2 == 1
        top = "compositional_skills" if is_skill else "knowledge"
        folder = root / top / f"group{number // 500}" / f"topic{number // 20 % 25}" / f"leaf{number}"
        folder.mkdir(parents=True)
        text = (skill if is_skill else knowledge)(dice, number)
        size += (folder / "qna.yaml").write_text(text, encoding="utf-8")
        (folder / "attribution.txt").write_text("Title of work: none\n")
    return size


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=bench", "-c", "user.email=bench@example.com", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True)


# --- the measures ---


def run(argv: Sequence[str], home: Path) -> tuple[float, float]:
    """Seconds and peak megabytes of one call that must succeed."""
    path = f"{Path(argv[0]).parent}{os.pathsep}{os.environ['PATH']}"  # the reference calls its yamllint by name
    environment = {**os.environ, "ILAB_HOME": str(home), "HOME": str(home), "PATH": path}
    began = time.perf_counter()
    process = subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    spent = time.perf_counter() - began
    if status:
        sys.exit(f"{' '.join(argv)} failed:\n{said.decode(errors='replace')[-2000:]}")
    return spent, usage.ru_maxrss / 1024


def diff(root: Path, base: str) -> list[str]:
    """Our command; it works on one core."""
    return [*command(), "taxonomy", "diff", "--taxonomy-path", str(root), "--taxonomy-base", base, "--quiet"]


def large(folder: Path, leaves: int) -> dict[str, object]:
    """All leaves, then those that changed."""
    root, home = folder / "large", folder / "home"
    size = write_tree(root, leaves)
    git(root, "init")
    git(root, "add", ".")
    git(root, "commit", "-m", "all leaves")
    git(root, "checkout", "-b", "work")
    for file in sorted(root.rglob("qna.yaml"))[:: leaves // CHANGED][:CHANGED]:
        file.write_text(file.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    whole = min(run(diff(root, "empty"), home) for _ in range(2))
    changed = min(run(diff(root, "main"), home) for _ in range(2))
    return {
        "leaves": leaves,
        "megabytes_of_yaml": round(size / 1e6, 1),
        "seconds": round(whole[0], 2),
        "peak_megabytes": round(whole[1], 1),
        "changed_leaves": CHANGED,
        "changed_seconds": round(changed[0], 2),
        "passed": leaves > 10_000 or (whole[0] < SECONDS and whole[1] < MEGABYTES),
    }


def beside(folder: Path, reference: str) -> dict[str, object]:
    """Both programs in turn over the same 16 leaves, which both find valid."""
    root, home = folder / "small", folder / "home"
    write_tree(root, SMALL, skills_only=True)
    program = str(Path(reference).with_name("ilab"))
    run([program, "config", "init", "--non-interactive", "--taxonomy-path", str(root)], home)
    arguments = ["--taxonomy-path", str(root), "--taxonomy-base", "empty", "--quiet"]
    theirs, ours = [program, "taxonomy", "diff", *arguments], diff(root, "empty")
    run(theirs, home), run(ours, home)  # fill the file cache and write the bytecode
    pairs = [(run(theirs, home)[0], run(ours, home)[0]) for _ in range(PAIRS)]
    medians = [statistics.median(pair[place] for pair in pairs) for place in (0, 1)]
    version = "import importlib.metadata as m; print(m.version('instructlab'))"
    asked = subprocess.run([reference, "-c", version], check=True, capture_output=True, text=True)
    return {
        "leaves": SMALL,
        "reference": f"instructlab {asked.stdout.strip()}",
        "reference_seconds": round(medians[0], 3),
        "seconds": round(medians[1], 3),
        "ratio": round(medians[0] / medians[1], 1),
        "pairs": PAIRS,
        "passed": medians[0] >= FACTOR * medians[1],
    }


def main() -> int:
    """Measure, write the result, say it."""
    parser = argparse.ArgumentParser(description="Measure `ilab taxonomy diff`.")
    parser.add_argument("--leaves", type=int, default=10_000)
    parser.add_argument("--reference", help="python of an environment that has instructlab and yamllint")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result: dict[str, object] = {"large": large(folder, asked.leaves)}
        if asked.reference:
            result["small"] = beside(folder, asked.reference)
    passed = all(part["passed"] for part in result.values())  # type: ignore[index]
    result |= {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": cpu(),
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
