"""Start the training process, follow its metrics, and turn its end into a result or one clear error."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any

from ilab import errors
from ilab.base import atomic, children
from ilab.base.children import Child
from ilab.base.report import Reporter
from ilab.errors import IlabError, Interrupted, MissingDisk, MissingHardware, TrainingError
from ilab.training.plan import TrainPlan

FAILED, STOPPED, DISK_FULL = 3, 4, 5
"""Exit statuses of the training process: see failure.json, stopped by SIGTERM, the disk is full."""
_POLL = 0.2
_GRACE = 60.0
"""Seconds that the process may take to finish its step and save its state when it is asked to end."""
_REPORTED = ("step", "epoch", "samples", "tokens", "lr", "grad_norm", "tokens_per_second")


def run(plan: TrainPlan, report: Reporter) -> None:
    """Train in a child process to the end. Raises what went wrong there; the same call again goes on.

    When the caller is interrupted, the process saves its state first: that takes a step and a save.
    """
    path = plan.folder / "plan.json"
    atomic.write_json(path, plan.to_json())
    (plan.folder / "failure.json").unlink(missing_ok=True)
    log = plan.folder / "train.log"
    command = [sys.executable, "-m", "ilab.training.torch_worker", str(path)]
    child = children.start(command, log=log, env=_environment(plan))
    metrics = _Metrics(plan, report)
    try:
        while child.poll() is None:
            metrics.follow()
            time.sleep(_POLL)
    finally:
        child.stop(_GRACE)
    metrics.follow()
    status = child.wait()
    if status:
        raise _error(plan, child, status)


def _environment(plan: TrainPlan) -> dict[str, str]:
    """Threads, no network, and memory that is kept for the next step instead of going back to the system."""
    return {
        **children.COMPUTE_ENV,
        "OMP_NUM_THREADS": str(plan.threads),
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "MALLOC_MMAP_MAX_": "0",
        "MALLOC_TRIM_THRESHOLD_": str(2**40),
        "MALLOC_TOP_PAD_": str(64 * 2**20),
    }


class _Metrics:
    """Reads what is new in metrics.jsonl and reports the newest step; never twice, also when the file was rewritten."""

    def __init__(self, plan: TrainPlan, report: Reporter) -> None:
        self.path = plan.folder / "metrics.jsonl"
        self.total = plan.tokens
        self.report = report
        self.step = 0
        self._file = 0
        self._offset = 0

    def follow(self) -> None:
        """Report the newest step, if there is a new one."""
        newest: dict[str, Any] = {}
        for row in self._new_rows():
            if "validation_loss" in row:
                self.report.metric("validation loss", row["validation_loss"], step=row["step"])
            if "loss" in row:
                newest = row
        if newest.get("step", 0) > self.step:
            self.step = newest["step"]
            self.report.metric("loss", newest["loss"], **{name: newest[name] for name in _REPORTED})
            self.report.progress("tokens", newest["tokens"], self.total)

    def _new_rows(self) -> Iterator[dict[str, Any]]:
        try:
            with self.path.open("rb") as file:
                number = self.path.stat().st_ino
                if number != self._file:
                    self._file, self._offset = number, 0
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            yield json.loads(line)


def _error(plan: TrainPlan, child: Child, status: int) -> IlabError:
    """What the exit status of the process means."""
    if status == STOPPED:
        return Interrupted("training was interrupted; its state is saved", hint="the same command goes on")
    if status == DISK_FULL:
        return MissingDisk(
            f"no space left on the disk that holds {plan.folder}",
            hint="free some space (`ilab run prune` removes old runs), then run the same command again",
        )
    if status == FAILED:
        row = json.loads((plan.folder / "failure.json").read_text(encoding="utf-8"))
        kind = getattr(errors, row["kind"])
        error: IlabError = kind(row["message"], hint=row["hint"])
        return error
    details = child.last_lines()
    if status == -signal.SIGKILL:
        return MissingHardware(
            "the training process was killed, most likely because the memory ran out",
            hint=f"lower training.max_batch_len (now {plan.train.max_batch_len}) and run the same command again",
            details=details,
        )
    return TrainingError(
        f"the training process ended with status {status}", hint=f"the whole log is {child.log}", details=details
    )
