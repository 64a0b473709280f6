"""What a kept sample costs, here and with the reference: requests, computed prompt tokens, time, and what a kill costs.

    python bench/sdg_reference.py --reference PYTHON [--flow full] [--sections 12,36] [--latency 0.05] [--slots 64]

PYTHON is the interpreter of an environment with the package instructlab-sdg. Both programs read the same invented page
and the same five seeds, in the same chunks, and ask the same scripted teacher over HTTP (`scripted_teacher.py`). Which
prompt tokens are computed is told by one model of a prefix cache applied to both logs (`prefix_cache.py`). A sample
counts when it is in the final file, no other has its question, and it is true (`invented_pages.World.is_true`). A
request is a prompt that is answered, whether it came alone or in a list. Then each program is killed (signal 9) halfway
and started again. The result is written to bench/results/sdg_reference.json; the exit status is 1 when a limit is
passed.

`--without ground` leaves blocks out of the flow: likelihoods are computed on this machine by a model of our own and
have no counterpart in the reference, so they may be timed apart.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

import invented_pages
import prefix_cache
import scripted_teacher
import yaml
from help_time import command, cpu
from invented_pages import World

HERE = Path(__file__).parent
RESULT = HERE / "results" / "sdg_reference.json"
LIMITS = {"requests": 1 / 3, "computed_tokens": 1 / 5, "seconds": 1 / 5}
SEEDS = 5


@dataclass(frozen=True)
class Bench:
    """What stays the same in all runs."""

    reference: str
    flow: str
    latency: float
    slots: int
    folder: Path
    choices: bool = False
    once: bool = False


@dataclass
class Run:
    """What one program did: seconds, the prompts that were answered, and its final rows."""

    seconds: float
    generation: float
    log: list[dict[str, Any]] = field(default_factory=list)
    rows: list[tuple[str, str, str]] = field(default_factory=list)


# --- inputs ---


def leaf(world: World, repo: Path, commit: str) -> dict[str, Any]:
    """The knowledge leaf of the page: five contexts with three questions each."""
    examples = []
    for number in range(SEEDS):
        own = world.facts[number * 8 : number * 8 + 8]
        pairs = [{"question": fact.questions[0], "answer": f"{fact.answer}."} for fact in own[1:4]]
        context = " ".join(fact.sentence for fact in own)
        examples.append({"context": context, "questions_and_answers": pairs})
    document = {"repo": str(repo), "commit": commit, "patterns": ["*.md"]}
    return {
        "version": 3,
        "created_by": "bench",
        "domain": "geography",
        "document_outline": "Places of the North: lakes, bridges, observatories and mills",
        "seed_examples": examples,
        "document": document,
    }


def write_inputs(world: World, folder: Path) -> Path:
    """A git repository with the page, and a taxonomy that names it; returns the taxonomy."""
    repo = folder / "page"
    repo.mkdir(parents=True)
    (repo / "places.md").write_text(world.pages[0], encoding="utf-8")
    run_git(repo, "init", "--quiet")
    run_git(repo, "add", ".")
    run_git(repo, "commit", "--quiet", "-m", "page")
    commit = run_git(repo, "rev-parse", "HEAD")
    target = folder / "taxonomy" / "knowledge" / "places"
    target.mkdir(parents=True)
    text = yaml.safe_dump(leaf(world, repo, commit), allow_unicode=True, sort_keys=False, width=100)
    (target / "qna.yaml").write_text(text, encoding="utf-8")
    (target / "attribution.txt").write_text("Title of work: Places of the North\n")
    return folder / "taxonomy"


def run_git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=bench", "-c", "user.email=bench@example.com", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def reference_rows(world: World, chunks: Sequence[dict[str, Any]], folder: Path) -> Path:
    """The same chunks in the reference's form: one row for each chunk and seed."""
    whole = leaf(world, Path(), "")
    rows = []
    for chunk in chunks:
        for example in whole["seed_examples"]:
            pairs = example["questions_and_answers"]
            row = {
                "document": chunk["text"],
                "icl_document": example["context"],
                "document_outline": whole["document_outline"],
                "domain": whole["domain"],
                "leaf_node_type": "knowledge",
                "leaf_node_path": "knowledge->places",
            }
            for number, pair in enumerate(pairs, 1):
                row[f"icl_query_{number}"], row[f"icl_response_{number}"] = pair["question"], pair["answer"]
            rows.append(row)
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "knowledge_places.jsonl").write_text(text, encoding="utf-8")
    return folder


def flow_file(name: str, without: Sequence[str], folder: Path) -> str:
    """The flow's name, or the file of a copy without some blocks."""
    if not without:
        return name
    given = Path(name)
    shipped = resources.files("ilab.sdg").joinpath(f"flows/{name}.yaml")
    flow = yaml.safe_load(given.read_text("utf-8") if given.is_file() else shipped.read_text("utf-8"))
    for paths in flow.values():
        for path, steps in paths.items() if isinstance(paths, dict) else ():
            paths[path] = [step for step in steps if step["block"] not in without]
    target = folder / f"{given.stem}-without-{'-'.join(without)}.yaml"
    target.write_text(yaml.safe_dump(flow, sort_keys=False))
    return str(target)


# --- runs ---


@contextmanager
def teacher(bench: Bench, sections: int, log: Path) -> Iterator[str]:
    """The scripted teacher in a process of its own; its address."""
    argv = [sys.executable, str(HERE / "scripted_teacher.py"), "--sections", str(sections), "--log", str(log)]
    argv += ["--latency", str(bench.latency), "--slots", str(bench.slots)]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.communicate("")


def ours(bench: Bench, taxonomy: Path, url: str, home: Path) -> list[str]:
    """Our command."""
    told = {"sdg.flow": bench.flow, "sdg.workers": bench.slots, "sdg.journal": home / "journal.jsonl"}
    flags = [word for name, value in told.items() for word in ("--set", f"{name}={value}")]
    where = ["--taxonomy-path", str(taxonomy), "--endpoint-url", url, "--output-dir", str(home / "out")]
    return [*command(), "data", "generate", *where, *flags]


def theirs(bench: Bench, rows: Path, url: str, out: Path) -> list[str]:
    """The reference's own functions, as its command calls them."""
    argv = [bench.reference, str(HERE / "reference_run.py"), "--rows", str(rows), "--out", str(out), "--url", url]
    return [*argv, "--eval"] if bench.choices else argv


def finish(argv: Sequence[str], folder: Path, log: Path, *, kill_after: int = 0) -> tuple[float, str]:
    """Run a command; seconds and what it printed. With `kill_after`, kill it once the log has so many lines."""
    home = folder.parents[1] / "home"  # one for all runs: models are converted once
    environ = {**os.environ, "ILAB_HOME": str(home), "HOME": str(home), "NO_COLOR": "1", "TQDM_DISABLE": "1"}
    began = time.perf_counter()
    with (folder / "said.txt").open("w+") as said:
        process = subprocess.Popen(argv, env=environ, stdout=said, stderr=said, start_new_session=True)
        try:
            while kill_after and process.poll() is None:
                if log.exists() and log.read_bytes().count(b"\n") >= kill_after:
                    os.killpg(process.pid, signal.SIGKILL)
                time.sleep(0.02)
            status = process.wait()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        spent = time.perf_counter() - began
        said.seek(0)
        text = said.read()
    if status and not kill_after:
        sys.exit(f"{' '.join(argv)} failed:\n{text[-3000:]}")
    return spent, text


def logged(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def stage(folder: Path) -> Path:
    """The folder of our latest generation."""
    found = (folder.parents[1] / "home").glob("**/stages/02-generate")
    return max(found, key=lambda stage: stage.stat().st_mtime)


def our_rows(home: Path) -> list[tuple[str, str, str]]:
    rows = (json.loads(line) for line in (stage(home) / "samples.jsonl").read_text("utf-8").splitlines())
    return [
        (row["question"], row["answer"], row["origin"]) for row in rows if row["origin"] not in ("seed", "auxiliary")
    ]


def their_rows(out: Path) -> list[tuple[str, str, str]]:
    files = sorted((out / "generated").glob("*.jsonl"))
    rows = (json.loads(line) for file in files for line in file.read_text("utf-8").split("\n") if line)
    return [(row["question"], row["response"], row["dataset_type"]) for row in rows]


def our_generation(home: Path) -> float:
    """Seconds of the stage that generates, out of the run's events."""
    events = [json.loads(line) for line in (stage(home).parents[1] / "events.jsonl").read_text().splitlines()]
    own = [event for event in events if event.get("stage") == "02-generate"]
    at = {event["kind"]: event for event in own}
    return round(float(at["stage_finished"].get("seconds", 0)), 3) if "stage_finished" in at else 0.0


def run_ours(bench: Bench, taxonomy: Path, sections: int, home: Path, *, kill_after: int = 0) -> Run:
    """One run of ours; with `kill_after`, killed and then started again as the user would."""
    home.mkdir(parents=True)
    log = home / "log.jsonl"
    with teacher(bench, sections, log) as url:
        argv = ours(bench, taxonomy, url, home)
        if kill_after:
            finish(argv, home, log, kill_after=kill_after)
        seconds, _ = finish(argv, home, log)
    return Run(seconds, our_generation(home), logged(log), our_rows(home))


def run_theirs(bench: Bench, rows: Path, sections: int, out: Path, *, kill_after: int = 0) -> Run:
    """One run of the reference."""
    out.mkdir(parents=True)
    log = out / "log.jsonl"
    with teacher(bench, sections, log) as url:
        argv = theirs(bench, rows, url, out)
        if kill_after:
            finish(argv, out, log, kill_after=kill_after)
        seconds, said = finish(argv, out, log)
    generation = next(json.loads(line) for line in reversed(said.splitlines()) if line.startswith("{"))
    return Run(seconds, generation["generation_seconds"], logged(log), their_rows(out))


# --- figures ---


def figures(run: Run, world: World, seconds: float) -> dict[str, Any]:
    """What a run cost and gave."""
    unique = {" ".join(question.lower().split()): (question, answer) for question, answer, _ in run.rows}
    true = [pair for pair in unique.values() if world.is_true(*pair)]
    asked = Counter(row["kind"] for row in run.log)
    ordered = sorted(run.log, key=lambda row: row["at"])
    tokens = prefix_cache.computed(scripted_teacher.tokens(row["prompt"]) for row in ordered)
    kept = max(1, len(true))
    return {
        "rows": len(run.rows),
        "distinct": len(unique),
        "kept": len(true),
        "kept_by_origin": dict(Counter(origin for q, a, origin in run.rows if world.is_true(q, a))),
        "requests": len(run.log),
        "requests_by_kind": dict(asked.most_common()),
        "same_prompt_again": len(run.log) - len({row["prompt"] for row in run.log}),
        "prompt_tokens": sum(row["prompt_tokens"] for row in run.log),
        "computed_tokens": tokens,
        "written_tokens": sum(row["completion_tokens"] for row in run.log),
        "seconds": round(seconds, 2),
        "a_kept_sample": {
            "requests": round(len(run.log) / kept, 4),
            "computed_tokens": round(tokens / kept, 2),
            "seconds": round(seconds / kept, 5),
        },
    }


def warm_up(bench: Bench) -> None:
    """Fill the file cache, write the bytecode, and convert the model that measures chunks and likelihoods."""
    folder = bench.folder / "warm"
    taxonomy = write_inputs(invented_pages.make(SEEDS), folder)
    quick = flow_file("simple", ["ground"], bench.folder)
    run_ours(replace(bench, flow=quick), taxonomy, SEEDS, folder / "ours")


def beside(bench: Bench, sections: int) -> dict[str, Any]:
    """Both programs on a page of so many sections, then both killed halfway."""
    world, folder = invented_pages.make(sections), bench.folder / f"sections-{sections}"
    taxonomy = write_inputs(world, folder)
    mine = run_ours(bench, taxonomy, sections, folder / "ours")
    chunks = [json.loads(line) for line in (stage(folder / "ours").parent / "01-prepare" / "chunks.jsonl").open()]
    rows = reference_rows(world, chunks, folder / "rows")
    other = run_theirs(bench, rows, sections, folder / "theirs")
    # Ours from the first start of the program, theirs without its imports: the comparison favours the reference.
    found = {"ours": figures(mine, world, mine.seconds), "theirs": figures(other, world, other.generation)}
    found["ours"]["generation_seconds"] = mine.generation
    ratios = {
        name: round(found["ours"]["a_kept_sample"][name] / found["theirs"]["a_kept_sample"][name], 4) for name in LIMITS
    }
    killed = (
        {}
        if bench.once
        else {
            "ours": loss(
                mine, run_ours(bench, taxonomy, sections, folder / "ours-killed", kill_after=len(mine.log) // 2)
            ),
            "theirs": loss(
                other, run_theirs(bench, rows, sections, folder / "theirs-killed", kill_after=len(other.log) // 2)
            ),
        }
    )
    passed = all(ratios[name] <= limit for name, limit in LIMITS.items()) and not (
        killed and killed["ours"]["rows_missing"]
    )
    return {
        "sections": sections,
        "chunks": len(chunks),
        "seeds": SEEDS,
        **found,
        "ratios": ratios,
        "killed_halfway": killed,
        "passed": passed,
    }


def loss(whole: Run, again: Run) -> dict[str, int]:
    """What a kill cost: rows that are not there in the end, and requests beyond those of a run that was not killed."""
    before, after = Counter(row[:2] for row in whole.rows), Counter(row[:2] for row in again.rows)
    return {
        "rows_missing": sum((before - after).values()),
        "rows_twice_or_new": sum((after - before).values()),
        "requests_asked_again": len(again.log) - len(whole.log),
    }


def version(reference: str) -> str:
    text = "import importlib.metadata as m; print(m.version('instructlab-sdg'))"
    return subprocess.run([reference, "-c", text], check=True, capture_output=True, text=True).stdout.strip()


def main() -> int:
    """Measure, write the result, say it."""
    parser = argparse.ArgumentParser(description="Measure `ilab data generate` beside the reference.")
    parser.add_argument("--reference", required=True, help="python of an environment that has instructlab-sdg")
    parser.add_argument("--flow", default="full")
    parser.add_argument("--without", action="append", default=[], metavar="BLOCK")
    parser.add_argument("--sections", default="12,36", help="sizes of the page, in sections of eight facts")
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--choices", action="store_true", help="the reference also makes its multiple-choice questions")
    parser.add_argument("--once", action="store_true", help="kill nothing")
    parser.add_argument("--folder", type=Path, help="keep what was made here")
    parser.add_argument("--result", type=Path, default=RESULT)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = asked.folder or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        flow = flow_file(asked.flow, asked.without, folder)
        bench = Bench(asked.reference, flow, asked.latency, asked.slots, folder, asked.choices, asked.once)
        warm_up(bench)
        sizes = [beside(bench, int(size)) for size in asked.sections.split(",")]
    result = {
        "reference": f"instructlab-sdg {version(asked.reference)}",
        "flow": asked.flow,
        "without": asked.without,
        "latency": asked.latency,
        "slots": asked.slots,
        "limits": {name: round(limit, 4) for name, limit in LIMITS.items()},
        "sizes": sizes,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": cpu(),
        "cores": os.cpu_count(),
    }
    asked.result.parent.mkdir(parents=True, exist_ok=True)
    asked.result.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    return 0 if all(size["passed"] for size in sizes) else 1


if __name__ == "__main__":
    sys.exit(main())
