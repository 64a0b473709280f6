"""`ilab data review`."""

from __future__ import annotations

import shutil
import sys
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from ilab.cli import output, sample_view
from ilab.cli.chat_input import ended_by_signals
from ilab.cli.options import json_option, paths
from ilab.cli.single_keys import END, Keys, single_keys
from ilab.errors import MissingError

if TYPE_CHECKING:
    from ilab.pipeline.data_places import Places
    from ilab.records.reviews import Reviews
    from ilab.records.samples import Sample
    from ilab.runs.folder import RunFolder

_WIDEST = 100
_KEYS = "[a] accept  [r] reject  [e] edit  [s] skip  [u] undo  [q] end "
_DONE = {"accept": "accepted", "reject": "rejected", "edit": "edited"}


@click.command("review")
@click.argument("run", default="last")
@click.option("--leaf", default="", metavar="TEXT", help="Only samples of leaves with this in their path.")
@click.option("--again", is_flag=True, help="Also show samples about which you have decided.")
@click.option("--list", "listed", is_flag=True, help="Print the decisions and ask nothing.")
@json_option
def review(run: str, leaf: str, again: bool, listed: bool, as_json: bool) -> None:
    """Lets you accept, reject and edit samples, one key each.

    RUN is the beginning or the end of a run's id, or `last`. Decisions are kept in reviews.jsonl of the run; each is on
    disk before the next sample is shown. When the command of the run is given again, rejected samples are left out of
    the training files, and edited answers replace the old ones.
    """
    from ilab.pipeline import data_files, data_funnel
    from ilab.pipeline.data_places import Places
    from ilab.records.reviews import FILE, Reviews

    found = data_files.find_run(run, paths().runs)
    reviews = Reviews(found.folder / FILE)

    def samples() -> Iterator[Sample]:
        own = (sample for sample in data_funnel.samples(found) if sample.origin != data_funnel.SEED)
        return (sample for sample in own if leaf in sample.leaf)

    if listed or as_json:
        _print_list(samples(), reviews, as_json)
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise MissingError("a review needs a terminal", hint="`--list` prints the decisions without one")
    try:
        with ended_by_signals(), single_keys() as keys:
            _Session(samples, reviews, Places(found), keys, again=again).work()
    except KeyboardInterrupt:  # wherever it comes, what was decided is on disk
        click.echo("")
    _tell_end(found, reviews.counts(sample.id for sample in samples()))


def _print_list(samples: Iterator[Sample], reviews: Reviews, as_json: bool) -> None:
    rows = [(sample, decided) for sample in samples if (decided := reviews.of(sample.id)) is not None]
    if as_json:
        output.print_json([sample.to_json() | {"review": decided.to_json()} for sample, decided in rows])
        return
    for sample, decided in rows:
        answer = decided.answer or sample.answer
        click.echo(f"{_DONE[decided.decision]:<9} {' '.join(sample.question.split())} -> {' '.join(answer.split())}")
    if not rows:
        output.tell("no sample is reviewed yet")


def _tell_end(run: RunFolder, counts: dict[str, int]) -> None:
    output.tell(", ".join(f"{counts[key]:,} {word}" for key, word in _DONE.items()) + f", {counts['open']:,} open")
    if any(counts[key] for key in _DONE):
        output.tell(f"the next `ilab {' '.join(run.manifest.argv)}` writes the training files anew")


class _Session:
    """Shows one sample after the other and takes the keys."""

    def __init__(
        self, samples: Callable[[], Iterator[Sample]], reviews: Reviews, places: Places, keys: Keys, *, again: bool
    ) -> None:
        self._all = samples
        self._reviews = reviews
        self._places = places
        self._keys = keys
        self._waiting: deque[Sample] = deque()
        self._next = (one for one in samples() if again or reviews.of(one.id) is None)
        self._open = sum(1 for one in samples() if again or reviews.of(one.id) is None)
        self._shown = 0

    def work(self) -> None:
        """Until the samples or the person's patience end."""
        if not self._open:
            output.tell("every sample is reviewed; `--again` shows them again")
        while (sample := self._waiting.popleft() if self._waiting else next(self._next, None)) is not None:
            self._shown += 1
            self._show(sample)
            if not self._take_key(sample):
                return

    def _show(self, sample: Sample) -> None:
        click.echo(f"\n{self._shown:,} of {self._open:,}")
        width = min(_WIDEST, shutil.get_terminal_size().columns)
        for line in sample_view.lines(sample, self._places, width=width):
            click.echo(line)
        decided = self._reviews.of(sample.id)
        if decided is not None:
            click.echo(f"decided   {_DONE[decided.decision]}{f': {decided.answer}' if decided.answer else ''}")

    def _take_key(self, sample: Sample) -> bool:
        """Do what one key says; False to end."""
        while True:
            click.echo(_KEYS, nl=False)
            key = self._keys.read()
            if key in ("a", "r"):
                self._reviews.decide(sample.id, "accept" if key == "a" else "reject")
                click.echo(_DONE["accept" if key == "a" else "reject"])
            elif key == "e":
                click.echo("")
                if not self._edit(sample):
                    continue
            elif key == "u":
                self._undo(sample)
            elif key == "s":
                click.echo("skipped")
            elif key in ("q", END):
                click.echo("")
                return False
            else:
                click.echo("")
                continue
            return True

    def _edit(self, sample: Sample) -> bool:
        """Let the answer be rewritten; False when it is left as it was."""
        decided = self._reviews.of(sample.id)
        before = decided.answer if decided and decided.answer else sample.answer
        with self._keys.typing_lines():
            after = _typed(before)
        if not after.strip() or after == before:
            click.echo("the answer is left as it was")
            return False
        self._reviews.decide(sample.id, "edit", answer=after)
        click.echo("edited")
        return True

    def _undo(self, sample: Sample) -> None:
        """Take the latest decision back, and show its sample before this one."""
        self._waiting.appendleft(sample)
        self._shown -= 1
        undone = self._reviews.undo()
        if undone is None:
            click.echo("there is nothing to undo")
            return
        click.echo(f"undone: {_DONE[undone.decision]}")
        earlier = next((one for one in self._all() if one.id == undone.sample), None)
        if earlier is not None and earlier.id != sample.id:
            self._waiting.appendleft(earlier)
            self._shown -= 1


def _typed(before: str) -> str:
    """The line that the person makes of `before`; a line break is typed as `\\n`. Empty on Ctrl-C and Ctrl-D."""
    try:
        import readline
    except ImportError:  # Python without it: the new answer is typed from the start
        prompt = "new answer: "
    else:
        line = before.replace("\\", "\\\\").replace("\n", "\\n")
        readline.set_startup_hook(lambda: readline.insert_text(line))
        prompt = "answer: "
    try:
        typed = input(prompt)
    except (EOFError, KeyboardInterrupt):
        click.echo("")
        return ""
    finally:
        if "readline" in sys.modules:
            sys.modules["readline"].set_startup_hook(None)
    return "\\".join(part.replace("\\n", "\n") for part in typed.split("\\\\"))
