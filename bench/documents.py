"""How long the conversion of a 200-page PDF takes against pdfminer's plain `extract_text`, as a ratio within one run.

    python bench/documents.py

The PDF is made here: running heads, headings, paragraphs, and a table with rules on every fifth page. Both read it in
turn, three times; the medians are compared. Ours must say how far it is after every page, keep all rows of the tables,
and give the same text each time. The result is written to bench/results/documents.json; the exit status is 1 when the
limit of 3 times pdfminer's time is passed, or something is missing.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ilab.base import lazy
from ilab.base.report import NullReporter
from ilab.documents.formats import FORMATS

PAGES, TURNS, FACTOR = 200, 3, 3.0
LINES, ROWS, TABLE_EVERY = 40, 8, 5
RESULT = Path(__file__).parent / "results" / "documents.json"
WORDS = (
    "the keeper of a lighthouse writes wind sea and visibility into his log before he trims the wick because ships "
    "that pass at night look for its light while the tower of granite stands above the rock and oil burns in the lamp"
).split()


def line(text: str, x: float, y: float, size: float, font: str = "F1") -> str:
    """One line of text as a PDF page draws it."""
    safe = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
    return f"BT /{font} {size} Tf {x} {y:.1f} Td ({safe}) Tj ET"


def page(number: int, dice: random.Random) -> str:
    """What is drawn on one page."""
    drawn = [line("Handbook of the coastal service", 72, 810, 9), line(f"Page {number}", 280, 30, 9)]
    drawn.append(line(f"Chapter {number}", 72, 770, 16, "F2"))
    y = 745.0
    with_table = number % TABLE_EVERY == 0
    for row in range(LINES - (ROWS + 4 if with_table else 0)):
        y -= 24 if row % 8 == 0 else 14
        drawn.append(line(" ".join(dice.choice(WORDS) for _ in range(15)).capitalize() + ".", 72, y, 11))
    if with_table:
        top = y - 30
        for row in range(ROWS + 1):
            drawn.append(f"72 {top - row * 16:.1f} m 432 {top - row * 16:.1f} l S")
        for column in range(4):
            drawn.append(f"{72 + column * 120} {top:.1f} m {72 + column * 120} {top - ROWS * 16:.1f} l S")
        for row in range(ROWS):
            for column in range(3):
                drawn.append(line(f"cell {number}.{row}.{column}", 76 + column * 120, top - row * 16 - 12, 10))
    return "\n".join(drawn)


def write_pdf(path: Path) -> None:
    """A PDF file with the fonts that every reader has."""
    dice = random.Random(1)
    bodies = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold >>",
    ]
    kids = []
    for number in range(1, PAGES + 1):
        content = page(number, dice)
        bodies.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
        fonts = "/Resources << /Font << /F1 3 0 R /F2 4 0 R >> >>"
        bodies.append(f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] {fonts} /Contents {len(bodies)} 0 R >>")
        kids.append(f"{len(bodies)} 0 R")
    bodies[1] = f"<< /Type /Pages /Count {PAGES} /Kids [{' '.join(kids)}] >>"
    data, places = b"%PDF-1.4\n", []
    for number, body in enumerate(bodies, start=1):
        places.append(len(data))
        data += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    head = f"xref\n0 {len(places) + 1}\n0000000000 65535 f \n{table}trailer\n"
    end = f"<< /Size {len(places) + 1} /Root 1 0 R >>\nstartxref\n{len(data)}\n%%EOF\n"
    path.write_bytes(data + (head + end).encode())


class Counting(NullReporter):
    """Counts what is said while the work goes on."""

    def __init__(self) -> None:
        self.steps = 0
        self.longest = 0.0
        self._last = time.perf_counter()

    def progress(self, what: str, done: int, total: int, **fields: Any) -> None:
        now = time.perf_counter()
        self.longest = max(self.longest, now - self._last)
        self.steps, self._last = self.steps + 1, now


def ours(path: Path) -> tuple[float, str, Counting]:
    """Convert once: seconds, Markdown, what was said."""
    convert = lazy.resolve(FORMATS[".pdf"].target)
    said, began = Counting(), time.perf_counter()
    text = convert(path, report=said, where=path.name)
    return time.perf_counter() - began, text, said


def theirs(path: Path) -> float:
    """Seconds that pdfminer takes for the text alone."""
    from pdfminer.high_level import extract_text

    began = time.perf_counter()
    extract_text(path)
    return time.perf_counter() - began


def measure() -> dict[str, Any]:
    """Both in turn, so that a busy machine slows both alike."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "handbook.pdf"
        write_pdf(path)
        turns = [(ours(path), theirs(path)) for _ in range(TURNS)]
    ours_seconds = statistics.median(turn[0][0] for turn in turns)
    peer_seconds = statistics.median(turn[1] for turn in turns)
    text, said = turns[0][0][1], turns[0][0][2]
    rows = sum(row.startswith("| cell ") for row in text.splitlines())
    headings = sum(row.startswith("# Chapter ") for row in text.splitlines())
    right = (
        rows == PAGES // TABLE_EVERY * ROWS
        and headings == PAGES
        and "Handbook" not in text
        and said.steps == PAGES
        and len({turn[0][1] for turn in turns}) == 1
    )
    return {
        "pages": PAGES,
        "seconds": round(ours_seconds, 2),
        "pages_per_second": round(PAGES / ours_seconds, 1),
        "pdfminer_seconds": round(peer_seconds, 2),
        "ratio": round(ours_seconds / peer_seconds, 2),
        "limit_ratio": FACTOR,
        "longest_silence_seconds": round(said.longest, 2),
        "words": len(text.split()),
        "table_rows": rows,
        "headings": headings,
        "passed": right and ours_seconds <= FACTOR * peer_seconds,
        "turns": TURNS,
        "python": platform.python_version(),
        "pdfplumber": importlib.metadata.version("pdfplumber"),
        "pdfminer.six": importlib.metadata.version("pdfminer.six"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def main() -> int:
    """Measure, write the result, say it in one line."""
    result = measure()
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    sys.stdout.write(
        f"{result['pages']} pages of PDF: {result['seconds']} s, {result['pages_per_second']} pages/s; pdfminer "
        f"{result['pdfminer_seconds']} s, ratio {result['ratio']}, limit {FACTOR}: "
        f"{'ok' if result['passed'] else 'WRONG OR TOO SLOW'}\n"
    )
    return 0 if result["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
