"""How fast Markdown is cut into chunks, against langchain's Markdown splitter, in turn within one run.

    python bench/chunking.py [PYTHON_OF_THE_PEER]

The peer (`langchain-text-splitters`, which the reference used) gets an environment of its own in a temporary folder
unless one is named. Both cut the same text to about the same size. `spans` says whether our chunks cover the text. The
result is written to bench/results/chunking.json. Only the cutting is timed: text comes in, chunks come out.
"""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from help_time import cpu  # noqa: E402

from ilab.documents.chunk import chunk  # noqa: E402
from ilab.documents.markdown import markdown_to_text  # noqa: E402
from ilab.documents.settings import DocumentSettings  # noqa: E402
from ilab.records.chunks import Document  # noqa: E402

PEER = "langchain-text-splitters==1.1.3"
ROUNDS = 5
TOKENS = 400
RESULT = HERE / "results" / "chunking.json"
_PEER_CODE = """
import sys, time
from langchain_text_splitters import MarkdownTextSplitter
text = open(sys.argv[1], encoding="utf-8").read()
splitter = MarkdownTextSplitter(chunk_size=int(sys.argv[2]), chunk_overlap=0)
began = time.perf_counter()
pieces = splitter.split_text(text)
print(time.perf_counter() - began, len(pieces))
"""


def text(megabytes: int = 8) -> str:
    """Markdown of this project and its example, repeated under numbered headings."""
    root = HERE.parent
    files = [root / "README.md", root / "CONTRIBUTING.md", *sorted((root / "examples").rglob("documents/*.md"))]
    page = "\n\n".join(file.read_text(encoding="utf-8") for file in files)
    copies = megabytes * 1_000_000 // len(page) + 1
    return "\n\n".join(f"# Part {number}\n\n{page}" for number in range(copies))


def ours(whole: str) -> tuple[float, int, bool]:
    """Seconds, chunks, and whether their spans cover the text without a gap."""
    document = Document(leaf="l", source="s", text=whole)
    settings = DocumentSettings(chunk_tokens=TOKENS)
    began = time.perf_counter()
    pieces = chunk(document, settings=settings)
    seconds = time.perf_counter() - began
    ends = [0, *(piece.end for piece in pieces)]
    covered = ends[-1] == len(whole) and all(piece.start == end for piece, end in zip(pieces, ends, strict=False))
    return seconds, len(pieces), covered


def peer_python(folder: Path) -> Path:
    """An environment with the peer in it."""
    venv.create(folder, with_pip=True)
    subprocess.run([folder / "bin/pip", "install", "--quiet", PEER], check=True)
    return folder / "bin/python"


def peer(python: Path, file: Path) -> tuple[float, int]:
    """Seconds and chunks of the peer, measured inside its own process."""
    characters = str(round(TOKENS * 3.6))
    done = subprocess.run([python, "-c", _PEER_CODE, file, characters], check=True, capture_output=True, text=True)
    seconds, pieces = done.stdout.split()
    return float(seconds), int(pieces)


def main(arguments: list[str]) -> int:
    """Measure, write the result, say it in one line."""
    with tempfile.TemporaryDirectory() as folder:
        python = Path(arguments[0]) if arguments else peer_python(Path(folder, "peer"))
        whole = markdown_to_text(text())
        file = Path(folder, "text.md")
        file.write_text(whole, encoding="utf-8")
        rounds = [(ours(whole), peer(python, file)) for _ in range(ROUNDS)]
    size = len(whole.encode()) / 1e6
    own = statistics.median(each[0][0] for each in rounds)
    theirs = statistics.median(each[1][0] for each in rounds)
    result = {
        "megabytes": round(size, 2),
        "megabytes_per_second": round(size / own, 1),
        "best_megabytes_per_second": round(size / min(each[0][0] for each in rounds), 1),
        "peer": PEER,
        "peer_megabytes_per_second": round(size / theirs, 1),
        "ratio": round(theirs / own, 2),
        "chunks": rounds[0][0][1],
        "peer_chunks": rounds[0][1][1],
        "spans_cover_the_text": all(each[0][2] for each in rounds),
        "rounds": ROUNDS,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": cpu(),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    sys.stdout.write(
        f"{result['megabytes']} MB of Markdown: {result['megabytes_per_second']} MB/s, "
        f"{PEER}: {result['peer_megabytes_per_second']} MB/s, ratio {result['ratio']}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
