"""A training that is killed again and again ends with the very bytes of one that was left alone."""

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("transformers", reason="needs the train extra")

from tests.unit.training import tiny_rows  # noqa: E402

from ilab.base import digest, jsonl  # noqa: E402
from ilab.training import checkpoints, torch_files, torch_loop, torch_state  # noqa: E402
from ilab.training.plan import TrainPlan  # noqa: E402
from ilab.training.settings import PhaseSettings, TrainSettings  # noqa: E402
from ilab.training.token_table import TokenTable  # noqa: E402
from ilab.training.torch_state import Counters  # noqa: E402
from ilab.training.train import make_plan  # noqa: E402

MOST_KILLS = 25
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["ilab.training.torch_worker", "transformers"])


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def plan_for(folder: Path, table: TokenTable, out: Path) -> TrainPlan:
    out.mkdir()
    settings = TrainSettings(threads=1, batch_tokens=64, state_every_seconds=0, checkpoints_per_phase=5)
    phase = PhaseSettings(num_epochs=12, learning_rate=3e-3)
    return make_plan(table, model=folder, out=out, key="k", phase=phase, settings=settings)


def begin(plan: TrainPlan, table: TokenTable) -> torch_loop.Training:
    model = torch_loop.load_model(Path(plan.model), torch.device("cpu"))
    return torch_loop.Training(plan, model=model, table=table)


def run_until_killed(plan: TrainPlan, table: TokenTable, seconds: float) -> bool:
    """Train in a process of its own and kill it after `seconds`; tells whether it had come to its end.

    The process is forked off a clean one that holds torch but no thread: forking pytest itself would copy the locks of
    threads that other tests have started.
    """
    table.write(Path(plan.out) / "state" / "tokens.bin")
    child = _SERVER.Process(target=tiny_rows.train_to_the_end, args=(plan.to_json(),))
    child.start()
    child.join(seconds)
    if child.is_alive():
        os.kill(child.pid or 0, signal.SIGKILL)
        child.join()
        return False
    assert child.exitcode == 0
    return True


def results(out: Path) -> list[Any]:
    """Everything that a training leaves, but for times."""
    found: list[Any] = [
        (one.step, one.epoch, one.samples, one.tokens, one.loss, (one.path / "model.safetensors").read_bytes())
        for one in checkpoints.find(out)
    ]
    return [*found, *([row[name] for name in ("step", "loss", "lr", "grad_norm")] for row in _metrics(out))]


def _metrics(out: Path) -> list[dict[str, Any]]:
    return list(jsonl.read(out / "metrics.jsonl"))


@pytest.fixture(scope="module")
def unbroken(folder: Path, table: TokenTable, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Any], float]:
    """The results of a training left alone, and the seconds that it took."""
    out = tmp_path_factory.mktemp("unbroken") / "out"
    began = time.monotonic()
    assert begin(plan_for(folder, table, out), table).run(lambda: False)
    return results(out), time.monotonic() - began


def test_a_training_killed_at_random_moments_ends_with_the_same_bytes(
    folder: Path, tmp_path: Path, table: TokenTable, unbroken: tuple[list[Any], float]
):
    expected, seconds = unbroken
    broken = plan_for(folder, table, tmp_path / "out")
    draw = random.Random(7)
    kills = 0
    while not run_until_killed(broken, table, draw.uniform(0.05, 0.4) * seconds if kills < MOST_KILLS else 60):
        kills += 1
    assert kills > 0
    assert results(tmp_path / "out") == expected


@pytest.mark.parametrize("stop_after", [1, 8, 17])
def test_a_training_asked_to_stop_saves_its_state_and_goes_on(
    folder: Path, tmp_path: Path, table: TokenTable, unbroken: tuple[list[Any], float], stop_after: int
):
    broken = plan_for(folder, table, tmp_path / "out")
    first = begin(broken, table)
    assert not first.run(lambda: first.counters.step == stop_after)
    second = begin(broken, table)
    assert second.counters.step == stop_after
    assert second.run(lambda: False)
    assert results(tmp_path / "out") == unbroken[0]


def test_log_lines_after_the_saved_state_are_dropped(folder: Path, tmp_path: Path, table: TokenTable):
    plan = plan_for(folder, table, tmp_path / "out")
    first = begin(plan, table)
    first.run(lambda: first.counters.step == 4)
    with (tmp_path / "out" / "metrics.jsonl").open("ab") as file:
        file.write(b'{"loss":1.0,"step":5}\n{"loss":1.0,"st')
    begin(plan, table)
    assert [row["step"] for row in _metrics(tmp_path / "out")] == [1, 2, 3, 4]


def counted(folder: Path, value: float, step: int, *, key: str = "k") -> None:
    torch_state.save(folder, {"weight": torch.full((5,), value)}, Counters(step=step), key=key)


def test_the_two_places_take_turns_and_the_newest_whole_state_counts(tmp_path: Path):
    tensors = {"weight": torch.zeros(5)}
    assert torch_state.load(tmp_path, tensors, key="k") is None
    for step in range(1, 6):
        counted(tmp_path, float(step), step)
        assert torch_state.load(tmp_path, tensors, key="k") == Counters(step=step)
        assert tensors["weight"].tolist() == [step] * 5
    newest = max(tmp_path.glob("*/STATE.json"), key=lambda path: path.stat().st_mtime_ns)
    newest.unlink()
    (newest.parent / "tensors.safetensors").write_bytes(b"torn")
    assert torch_state.load(tmp_path, tensors, key="k") == Counters(step=4)
    assert tensors["weight"].tolist() == [4] * 5
    counted(tmp_path, 6.0, 6)
    assert torch_state.load(tmp_path, tensors, key="k") == Counters(step=6)


def test_a_state_of_another_training_is_not_taken(tmp_path: Path):
    counted(tmp_path, 1.0, 10, key="other")
    assert torch_state.load(tmp_path, {"weight": torch.zeros(5)}, key="k") is None
    counted(tmp_path, 2.0, 1)
    assert torch_state.load(tmp_path, {"weight": torch.zeros(5)}, key="k") == Counters(step=1)


def test_tensors_come_back_bit_for_bit_and_an_older_longer_file_leaves_nothing(tmp_path: Path):
    from safetensors.torch import load_file

    tensors = {"a": torch.randn(3, 5), "b": torch.tensor(2.0), "c": torch.randn(4).bfloat16(), "d": torch.randn(6)[::2]}
    path = tmp_path / "t.safetensors"
    torch_files.write(path, {"long": torch.zeros(1000)})
    told = torch_files.write(path, tensors, digest=True)
    loaded = load_file(path)
    assert loaded.keys() == tensors.keys()
    assert all(torch.equal(loaded[name], tensors[name]) for name in tensors)
    assert told == digest.of_file(path)
