"""How many of the pairs that were accepted about the Phoenix page are correct, by labels that a reader gave them.

    python bench/phoenix_labels.py [--samples SAMPLES.JSONL]

Reads bench/data/phoenix_labels.jsonl (how it was made: bench/data/README.md) and prints the share of correct pairs with
its 95 % interval (Wilson), together and by origin, and the faults. With the samples of another run, it tells how many
of the pairs that were labelled are still made. The result is written to bench/results/phoenix_labels.json; the exit
status is 1 when less than 0.9 of the pairs are correct.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LABELS, RESULT = HERE / "data" / "phoenix_labels.jsonl", HERE / "results" / "phoenix_labels.json"
LEAST, SIGMAS = 0.9, 1.96

Label = dict[str, Any]


def interval(good: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson)."""
    share, spread = good / total, SIGMAS**2 / total
    middle = share + spread / 2
    half = SIGMAS * math.sqrt(share * (1 - share) / total + spread / total / 4)
    return round((middle - half) / (1 + spread), 3), round((middle + half) / (1 + spread), 3)


def share(labels: Sequence[Label]) -> dict[str, Any]:
    """Pairs, correct ones, their share and its interval."""
    good = sum(label["correct"] for label in labels)
    return {
        "pairs": len(labels),
        "correct": good,
        "share": round(good / len(labels), 3),
        "interval": interval(good, len(labels)),
    }


def still_made(labels: Sequence[Label], samples: Path) -> dict[str, int]:
    """How many of the labelled pairs another run has."""
    rows = map(json.loads, samples.read_text("utf-8").split("\n")[:-1])
    there = {(row["question"], row["answer"]) for row in rows}
    found = Counter(label["correct"] for label in labels if (label["question"], label["answer"]) in there)
    return {"correct": found[True], "wrong": found[False]}


def main() -> int:
    """Count, write the result, say it."""
    parser = argparse.ArgumentParser(description="Share of accepted pairs that are correct.")
    parser.add_argument("--samples", type=Path, help="samples.jsonl of another run")
    asked = parser.parse_args()
    labels: list[Label] = [json.loads(line) for line in LABELS.read_text("utf-8").split("\n")[:-1]]
    origins = sorted({label["origin"] for label in labels})
    result: dict[str, Any] = {
        "all": share(labels),
        "by_origin": {name: share([label for label in labels if label["origin"] == name]) for name in origins},
        "faults": dict(Counter(label["fault"] for label in labels if not label["correct"]).most_common()),
    }
    if asked.samples:
        result["still_made"] = still_made(labels, asked.samples)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    return 0 if result["all"]["share"] >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
