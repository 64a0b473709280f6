"""The block that asks a model for a verdict on each row.

A judge explains first and gives its verdict last, as a record; the explanation of a row that it rejects is kept with
it. What cannot be read is no verdict: it has a reason of its own, and counts neither for nor against a row. A judge in
`tools.mute` could not tell right from wrong on the user's own examples: it still scores, and rejects nothing.

One request can be about several rows (`groups`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from ilab.errors import ConfigError
from ilab.sdg import flow
from ilab.sdg.blocks import llm
from ilab.sdg.blocks.base import Tools
from ilab.sdg.blocks.groups import groups, numbered
from ilab.sdg.row import Box, Row

NO_VERDICT = "the judge's verdict could not be read"
"""Why a row is rejected on which no vote was given."""
_PLACE = "judged"
"""Which group of rows a request is about, while it is with the model."""
_NUMBER = {"number": {"about": "the number of what you judge", "type": "integer"}}
"""The column that a record gets where there may be several."""
_LIST = "in asked"
"""What stands in the template of a prompt that reads several rows."""
_HOPELESS = (llm.REFUSED, llm.FAILED)
"""Why a request failed that would not go better with fewer rows."""
_TOLD = 300
"""Most signs of an explanation that are kept."""


@dataclass(slots=True, kw_only=True)
class Ballot:
    """The votes on one row, their explanations, and what was said in place of votes that could not be read."""

    verdicts: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    unread: list[Row] = field(default_factory=list)

    def add(self, record: Row) -> None:
        """Count a vote."""
        self.verdicts.append(str(record["verdict"]))
        self.reasons.append(str(record.get("explanation", "")))


def judge(rows: list[Row], box: Box, tools: Tools, **options: Any) -> list[Row]:
    """Keep rows that the judge approves of; scores[prompt] is from 0 to 1, the mean over the votes.

    `prompt` names the judge. `keep: [YES]` names the verdicts that most votes must give, the first of the prompt's
    list without it; `min: 2` is the least mean of verdicts that are numbers. `votes: k` asks k times, at a temperature.
    `together: n` asks about up to n rows in one request, for prompts that go through `asked`; with `origin`, rows of
    another origin pass unseen. Raises `ConfigError` for options that the prompt's verdicts never meet.
    """
    measure = Measure(options)
    name, spec = measure.name, measure.spec
    mine = [row for row in rows if measure.origin in ("", row.get("origin"))]
    ballots = iter(votes(mine, box, tools, spec, measure.votes, measure.together))
    kept = []
    for row in rows:
        if measure.origin not in ("", row.get("origin")):
            kept.append(row)
            continue
        ballot = next(ballots)
        judged = row
        if ballot.verdicts:
            judged = {**row, "scores": {**row.get("scores", {}), name: measure.score(ballot.verdicts)}}
        if name in tools.mute or (ballot.verdicts and measure.approves(ballot.verdicts)):
            kept.append(judged)
        elif ballot.verdicts:
            told = next((why for why in ballot.reasons if why), "")
            box.reject(judged, str(spec.get("fault", f"refused by {name}")), detail=told[:_TOLD])
        else:
            raw = next((said["raw"] for said in ballot.unread if said.get("raw")), "")
            failed = any(said.get("reason") == llm.FAILED for said in ballot.unread)
            box.reject({**row, "raw": raw}, llm.FAILED if failed else NO_VERDICT, detail=f"judge {name}")
    return kept


def votes(
    rows: Sequence[Row], box: Box, tools: Tools, spec: dict[str, Any], count: int, together: int = 1
) -> list[Ballot]:
    """`count` verdicts on each row, in the order of the rows; what they cost is counted in `box`.

    With `together`, a row that an answer about several gives no verdict, or two, is asked about alone.
    """
    told = {**spec, "varied": True} if count > 1 else spec
    panel = _Panel(rows, box, tools, _for_several(told, together) if together > 1 else told)
    lost = panel.hear(groups(rows, together), range(max(1, count)))
    for turn in sorted({turn for turn, _ in lost}):
        panel.hear([[place] for of, place in lost if of == turn], [turn])
    return panel.ballots


class _Panel:
    """One judge, asked about groups of `rows`, which are named by their places."""

    def __init__(self, rows: Sequence[Row], box: Box, tools: Tools, spec: dict[str, Any]) -> None:
        self.ballots = [Ballot() for _ in rows]
        self._rows, self._box, self._tools, self._spec = rows, box, tools, spec

    def hear(self, groups: Sequence[list[int]], turns: Sequence[int]) -> list[tuple[int, int]]:
        """Ask once a group and turn; the turn and the place of each row that is to be asked about alone."""
        unread = Box(usage=self._box.usage)
        requests = [{**self._shown(group), _PLACE: number} for number, group in enumerate(groups)]
        heard = llm.converse(requests, unread, self._tools, self._spec, numbers=turns)
        faults = iter(unread.rejected)
        lost = []
        for position, (request, records) in enumerate(heard):
            group = groups[request[_PLACE]]
            fault = {} if records else next(faults)
            given = self._by_number(records)
            for number, place in enumerate(group, start=1):
                if number in given:
                    self.ballots[place].add(given[number])
                elif len(group) > 1 and fault.get("reason") not in _HOPELESS:
                    lost.append((turns[position % len(turns)], place))
                else:
                    self.ballots[place].unread.append(fault)
        return lost

    def _shown(self, group: Sequence[int]) -> Row:
        """What the prompt sees: the first row, and under `asked` all of them, numbered and quoted."""
        rows = [self._rows[place] for place in group]
        return {**rows[0], "asked": numbered(rows)}

    def _by_number(self, records: Sequence[Row]) -> dict[int, Row]:
        """Each record by the row that it is about; a number that comes twice is none."""
        if "number" not in self._spec["columns"]:
            return dict(enumerate(records[-1:], start=1))
        times = Counter(record["number"] for record in records)
        return {int(record["number"]): record for record in records if times[record["number"]] == 1}


def _for_several(spec: dict[str, Any], together: int) -> dict[str, Any]:
    """The prompt `spec` with a record for each of several rows."""
    most = int(spec.get("max_tokens", 64)) * together
    return {**spec, "columns": {**_NUMBER, **spec["columns"]}, "many": True, "max_tokens": most}


class Measure:
    """What a judge's verdicts are worth, by its prompt's list of them and the block's options."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.name = str(options["prompt"])
        self.spec = flow.prompt(self.name)
        self.votes = int(options.get("votes", 1))
        self.origin = str(options.get("origin", ""))
        self.together = int(options.get("together", 1))
        known = [_word(verdict) for verdict in self.spec["columns"]["verdict"]["enum"]]
        self._numbers = [float(verdict) for verdict in known if verdict.isdigit()]
        self._least = options.get("min")
        self._keep = [_word(verdict) for verdict in options.get("keep", known[:1])]
        said = f"verdicts of `{self.name}` are {', '.join(known)}"
        if strange := [verdict for verdict in self._keep if verdict not in known]:
            raise ConfigError(f"block `judge` of the flow keeps {strange[0]}, which is never said", hint=said)
        if self.together > 1 and _LIST not in self.spec["template"]:
            message = f"block `judge` of the flow asks `{self.name}` about several rows, and it reads one"
            raise ConfigError(message, hint="leave `together` out")
        if self._least is not None and not self._numbers:
            raise ConfigError("block `judge` of the flow has a `min` for verdicts that are no numbers", hint=said)

    def score(self, verdicts: Sequence[str]) -> float:
        """The mean of the votes, 0 for the worst and 1 for the best."""
        if self._numbers:
            lowest, highest = min(self._numbers), max(self._numbers)
            return round((fmean(map(float, verdicts)) - lowest) / (highest - lowest), 4)
        return round(fmean(_word(verdict) in self._keep for verdict in verdicts), 4)

    def approves(self, verdicts: Sequence[str]) -> bool:
        """Whether the row may stay."""
        if self._least is not None:
            return fmean(map(float, verdicts)) >= float(self._least)
        return fmean(_word(verdict) in self._keep for verdict in verdicts) > 0.5


def _word(verdict: Any) -> str:
    """A verdict as it is compared; YAML takes a bare YES for a truth value."""
    if isinstance(verdict, bool):
        return "YES" if verdict else "NO"
    return str(verdict).upper()
