"""Samples a second with and without sharing of common beginnings, in one process, by turns.

    .venv/bin/python bench/prefix_sharing.py MODEL_FOLDER [--out bench/results/prefix_sharing.json]

Rows are LAB's knowledge rows made of the example's page: a chunk of the document, and one question with its answer, six
questions a chunk, document trained (phase 1) or not. Each turn takes the gradients of the same steps; the optimizer is
left out, since it is the same. The gradients of the first step are compared. Minutes of work: run nothing else.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path
from statistics import median

import torch

from ilab.base import hardware
from ilab.records import messages
from ilab.records.samples import TrainRow
from ilab.training import torch_loop
from ilab.training.plan import Step
from ilab.training.settings import TrainSettings
from ilab.training.token_table import TokenTable
from ilab.training.tokenize import RowTokenizer

PAGE = Path(__file__).resolve().parent.parent / "examples" / "phoenix" / "documents"
QUESTIONS = 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--chunks", type=int, default=2)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(hardware.usable_cores())
    tokenizer = RowTokenizer.from_model(asked.model)
    model = torch_loop.load_model(asked.model, torch.device("cpu"))
    result = {
        name: measure(model, TokenTable.of([tokenizer.encode(row) for row in rows(asked.chunks, unmask)]), asked.turns)
        for name, unmask in (("document trained", True), ("answers trained", False))
    }
    result["environment"] = {"cpu": platform.processor() or platform.machine(), "cores": hardware.usable_cores()}
    text = json.dumps(result, indent=2) + "\n"
    if asked.out:
        asked.out.write_text(text, encoding="utf-8")
    print(text)


def rows(chunks: int, unmask: bool) -> list[TrainRow]:
    """LAB rows: chunks of 400 words (of this page about 1,000 tokens), six questions each."""
    words = " ".join(path.read_text(encoding="utf-8") for path in sorted(PAGE.glob("*.md"))).split()
    found = []
    for chunk in range(chunks):
        text = " ".join(words[chunk * 400 : chunk * 400 + 400])
        for number in range(QUESTIONS):
            start = chunk * 400 + number * 60
            question = f"What does the page say about {' '.join(words[start : start + 6])}?"
            answer = " ".join(words[start + 6 : start + 46])
            talk = (messages.user(f"{text}\n\n{question}"), messages.assistant(answer))
            found.append(TrainRow(id=f"{chunk}-{number}", messages=talk, unmask=unmask))
    return found


def measure(model, table: TokenTable, turns: int) -> dict[str, object]:
    steps = [Step(epoch=0, rows=tuple(range(len(table))))]
    seconds: dict[bool, list[float]] = {True: [], False: []}
    gradients = {}
    for turn in range(turns + 1):
        for share in (True, False):
            settings = TrainSettings(share_prefixes=share, max_seq_len=4096)
            began = time.perf_counter()
            loss, _ = torch_loop.add_gradients(model, table, steps[0], settings)
            if turn:  # the first turn warms up
                seconds[share].append(time.perf_counter() - began)
            else:
                gradients[share] = (loss, [one.grad.clone() for one in model.parameters()])
            model.zero_grad(set_to_none=True)
    return {
        "rows": len(table),
        "tokens": table.tokens,
        "samples_per_second": {str(share): round(len(table) / median(seconds[share]), 3) for share in seconds},
        "ratio": round(median(seconds[False]) / median(seconds[True]), 2),
        "loss": {str(share): found[0] for share, found in gradients.items()},
        "largest_difference_of_gradients": largest_difference(gradients[True][1], gradients[False][1]),
        "seconds": {str(share): [round(one, 3) for one in found] for share, found in seconds.items()},
    }


def largest_difference(ones, others) -> float:
    """Relative to the largest gradient."""
    scale = max(one.abs().max().item() for one in others)
    return max((one - other).abs().max().item() for one, other in zip(ones, others, strict=True)) / scale


if __name__ == "__main__":
    main()
