"""kill -9 while shards are put together: no half file is left, and the next run writes those of an undisturbed one."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(600)

FILES = ("samples.jsonl", "rejected.jsonl", "funnel.json")
DRIVER = """
import sys
from pathlib import Path
from ilab.base.report import NullReporter
from ilab.llm.scripted import ScriptedChatModel, ScriptedTokenScorer
from ilab.records.chunks import Chunk
from ilab.records.seeds import KNOWLEDGE, Seed
from ilab.sdg import execute
from ilab.sdg.flow import Flow
from ilab.sdg.settings import SdgSettings

LEAF = "knowledge/lakes"
chunks = [
    Chunk(id=f"{LEAF}#{n}", leaf=LEAF, source="s", text=f"Lake number {n} is {n} metres deep.", tokens=9)
    for n in range(120)
]
pairs = "\\n".join(f"Question: What is said in part {n} about it?\\nAnswer: Something." for n in range(20))
steps = [{"block": "ask", "prompt": "chunk_pairs"}, {"block": "distinct", "scope": "run"}]
execute.generate(
    [Seed(leaf=LEAF, kind=KNOWLEDGE, question="Is it deep?", answer="Yes.", context="It is.")],
    chunks,
    flow=Flow.model_validate({"version": "1.0", "knowledge": {"pairs": steps}}),
    models=execute.Models(
        teacher=ScriptedChatModel(
            lambda turns: pairs.replace("about it", turns[-1].content.splitlines()[0].rstrip("."))
        ),
        scorer=ScriptedTokenScorer(lambda request, continuation: 0.0),
        render=str,
        identity="scripted",
    ),
    settings=SdgSettings(workers=2, seed=1),
    out=Path(sys.argv[1]),
    report=NullReporter(),
)
"""


def start(out: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", DRIVER, str(out)], stderr=subprocess.PIPE)


def finish(out: Path) -> None:
    process = start(out)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()


def kill_while_writing(out: Path) -> None:
    """Start it, and kill it once it is writing samples."""
    process = start(out)
    while not any(out.glob(".samples.jsonl.*")):
        assert process.poll() is None, process.communicate()[1].decode()
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)


def test_a_kill_while_samples_are_written_leaves_nothing_half(tmp_path: Path) -> None:
    finish(tmp_path / "plain")
    out = tmp_path / "broken"
    kill_while_writing(out)
    assert not any((out / name).exists() for name in FILES)
    finished = {path.name: path.stat().st_mtime_ns for path in (out / "shards").iterdir()}
    finish(out)
    assert {path.name: path.stat().st_mtime_ns for path in (out / "shards").iterdir()} == finished
    assert not any(out.glob(".*.tmp")), "what was half written is gone"
    for name in FILES[:2]:
        assert (out / name).read_bytes() == (tmp_path / "plain" / name).read_bytes()
