"""`ilab model test`: does the tuned model answer better than the model it was made from?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ilab.base import digest
from ilab.cli import job as jobs
from ilab.cli import model_choice, output
from ilab.cli.options import load_config, open_recorded, open_run, run_options, set_option, settings_flags
from ilab.errors import IlabError, MissingError, MissingModel

if TYPE_CHECKING:
    from ilab.config.load import Loaded
    from ilab.evaluation.questions import QuestionSet
    from ilab.pipeline.job import Job
    from ilab.pipeline.side_by_side import Comparison, Pair


@click.command("test")
@click.option(
    "-m",
    "--model-path",
    "--model",
    "tuned",
    metavar="PATH_OR_NAME",
    default="",
    help="Tuned model: a name in the store or a folder.  [default: the newest tuned model]",
)
@click.option(
    "--base-model",
    "base",
    metavar="PATH_OR_NAME",
    default="",
    help="Model to compare with.  [default: the one that the tuned model was made from]",
)
@click.option(
    "--data-path",
    "--questions",
    "data",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File of questions, or .jsonl file of messages.  [default: what the model's run held out]",
)
@click.option("--limit", type=click.IntRange(min=1), help="Ask the first so many only.")
@settings_flags({"--max-tokens": "evaluation.answer_tokens"})
@set_option
@run_options
@click.pass_context
def test(ctx: click.Context, /, tuned: str, base: str, data: Path | None, limit: int | None, **_: object) -> None:
    """Runs basic test to ensure model correctness.

    Both models answer the same questions; every answer is shown beside the expected one, with the change of its
    likelihood. The exit status is 1 when the tuned model tells right answers from wrong ones no better than its base.
    `ilab model evaluate` measures more, and says how sure the numbers are.
    """
    from ilab.base import lazy
    from ilab.pipeline import side_by_side

    lazy.check("torch", "transformers", "safetensors", feature="exact likelihoods", extra="train")
    loaded = load_config(ctx)
    job = jobs.of(loaded)
    before = recorded.manifest.inputs if (recorded := open_recorded(ctx)) else {}
    tuned = tuned or before.get("model") or _newest(job)
    made = _provenance(job, tuned)
    base = base or before.get("base") or str(made.get("base_model") or job.models.student)
    asked = _questions(loaded, job, str(made.get("run", "")), data)
    asked = replace(asked, facts=asked.facts[:limit])
    inputs = {"model": tuned, "base": base, "questions": digest.of_value(asked.to_json())}
    jobs.check_models(job, base, tuned)
    folder = open_run(ctx, "test", loaded=loaded, rooms=("models", "evaluation", "serving"), inputs=inputs)
    output.tell(f"run {folder.id}")
    with folder.working():
        result = side_by_side.compare(folder, job, base=base, tuned=tuned, asked=asked)
        folder.finish({"base": base, "model": tuned, **result.to_json()})
    if ctx.params["as_json"]:
        output.print_json(folder.result())
    else:
        _print(result, base=base, tuned=tuned)
    if not result.better:
        hint = "`ilab model evaluate` says what was learned and what was lost"
        raise IlabError(f"{tuned} answers no better than {base}", hint=hint)


def _newest(job: Job) -> str:
    found = model_choice.newest_tuned(job.store)
    if found is None:
        raise MissingModel("no model is tuned yet", hint="`ilab customize` makes one; or name one with --model-path")
    output.tell(f"model: {found.name} (the newest tuned one)")
    return found.name


def _provenance(job: Job, tuned: str) -> Mapping[str, Any]:
    """What the store knows about how a model was made; nothing about one outside of it."""
    from ilab.models import conversion

    origin = conversion.original(job.store, job.store.find(tuned).name)
    return origin.record.provenance if origin is not None else {}


def _questions(loaded: Loaded, job: Job, run: str, data: Path | None) -> QuestionSet:
    """The questions of `data`, else those of the run that made the model."""
    from ilab.pipeline import asked
    from ilab.runs.folder import RunFolder

    if data is not None:
        return asked.from_file(data)
    if not run:
        raise click.UsageError("no run is known to have made this model: name a file of questions with --data-path")
    folder = loaded.paths.runs / run
    if not folder.is_dir():
        raise MissingError(f"run {run}, which made this model, is gone", hint=asked.GIVE)
    return asked.from_run(RunFolder(folder), job)


def _print(result: Comparison, *, base: str, tuned: str) -> None:
    click.echo(f"# MODEL TEST REPORT\n\n## BASE MODEL\n{base}\n\n## MODEL\n{tuned}\n")
    for number, pair in enumerate(result.pairs, start=1):
        _print_pair(number, pair)
    total = len(result.pairs)
    click.echo(f"expected answer likelier   {result.likelier} of {total}, {result.gain:+.2f} nats on average")
    click.echo(f"likeliest of the options   base {result.base_right}, tuned {result.tuned_right} of {total}")
    click.echo(f"lead over wrong answers    {result.lead_gain:+.2f} nats on average")
    click.echo(f"said in words              base {result.base_hits}, tuned {result.tuned_hits} of {total}")
    click.echo(f"\n{'PASSED' if result.better else 'FAILED'}: the tuned model answers ", nl=False)
    click.echo("better than its base" if result.better else "no better than its base")


def _print_pair(number: int, pair: Pair) -> None:
    lead = f"lead over wrong answers {pair.base_lead:+.2f} -> {pair.tuned_lead:+.2f}"
    click.echo(f"### {number}. {_line(pair.question)}")
    click.echo(f"base:      {_line(pair.base)}")
    click.echo(f"tuned:     {_line(pair.tuned)}")
    click.echo(f"expected:  {_line(pair.expected)}")
    click.echo(f"gain:      {pair.gain:+.2f} nats; {lead}\n")


def _line(text: str) -> str:
    """A model's words on one line, without what a terminal would obey."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
