"""The training process: `python -m ilab.training.torch_worker plan.json`. The first file that imports torch.

It alone writes metrics.jsonl, checkpoints and state. SIGTERM makes it save its state after the step at hand and end.
What went wrong is left in failure.json for the parent; a full disk, on which that file may not fit, has an exit status
of its own.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import torch

from ilab.base import atomic, logs
from ilab.errors import IlabError, MissingDisk, MissingHardware
from ilab.training import torch_loop
from ilab.training.launch import DISK_FULL, FAILED, STOPPED
from ilab.training.plan import TrainPlan
from ilab.training.token_table import TOKENS, VALIDATION, TokenTable

_log = logging.getLogger("ilab.training")


def main(arguments: Sequence[str]) -> int:
    """Train as the plan says; returns the exit status."""
    logs.setup(1)
    plan = TrainPlan.from_json(json.loads(Path(arguments[0]).read_text(encoding="utf-8")))
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    try:
        with atomic.disk_errors(plan.folder):
            return 0 if work(plan, stop) else STOPPED
    except IlabError as error:
        failure = error
    except (MemoryError, torch.OutOfMemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise
        failure = MissingHardware(
            f"the memory ran out: {error}", hint=f"lower training.max_batch_len (now {plan.train.max_batch_len})"
        )
    _log.error("%s", failure.message)
    if isinstance(failure, MissingDisk):
        return DISK_FULL
    row = {"kind": type(failure).__name__, "message": failure.message, "hint": failure.hint}
    atomic.write_json(plan.folder / "failure.json", row)
    return FAILED


def work(plan: TrainPlan, stop: threading.Event) -> bool:
    """Train until the end or until `stop` is set; tells whether the end was reached."""
    from transformers.utils import logging as hub_logging

    hub_logging.disable_progress_bar()
    torch.set_num_threads(plan.threads)
    torch.set_flush_denormal(True)
    if plan.train.precision == "bf16":
        torch.set_float32_matmul_precision("high")
    device = torch.device(plan.device)
    state = plan.folder / "state"
    table = TokenTable.read(state / TOKENS)
    unseen = TokenTable.read(state / VALIDATION) if (state / VALIDATION).exists() else None
    model = torch_loop.load_model(Path(plan.model), device, plan.train)
    training = torch_loop.Training(plan, model=model, table=table, unseen=unseen)
    _log.info("%d rows, step %d of %d, %s", len(table), training.counters.step, len(training.steps), device)
    return training.run(stop.is_set)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
