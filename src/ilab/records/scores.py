"""Answer (one scored question), Interval, Finding and Scorecard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a model ranks the options of one question. The right option always stands first in `options`.

    `logprobs` are summed natural log-probabilities of the options, `tokens` and `bytes` their lengths. `pick` is the
    index of the option with the highest log-probability, -1 when the best two tie. `margin` is in nats: that of the
    right option over the mean of the wrong ones. `gold_bits_per_byte` says how surprising the right
    option is (lower is better). `condition` is `closed` (from memory) or `open` (the text is in the prompt). `model`
    names who answered.
    """

    fact: str
    tier: str
    phrasing: int
    question: str
    options: tuple[str, ...]
    logprobs: tuple[float, ...]
    tokens: tuple[int, ...]
    bytes: tuple[int, ...]
    pick: int
    correct: bool
    margin: float
    gold_bits_per_byte: float
    condition: str = "closed"
    model: str = ""

    @property
    def gold(self) -> str:
        """The right option."""
        return self.options[0]

    @property
    def lead(self) -> float:
        """Nats by which the right option leads the best wrong one; above 0 exactly when `correct`."""
        first, *others = self.logprobs
        return first - max(others)

    def to_json(self) -> dict[str, Any]:
        """The answer as one row of answers.jsonl."""
        return {one.name: _plain(getattr(self, one.name)) for one in fields(self)}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Answer:
        """The answer out of one row; keys that are no fields of it are passed over."""
        values: dict[str, Any] = {one.name: row[one.name] for one in fields(cls) if one.name in row}
        for name in ("options", "logprobs", "tokens", "bytes"):
            values[name] = tuple(values[name])
        return cls(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate with its confidence bounds, from `n` independent facts."""

    estimate: float
    low: float
    high: float
    n: int

    def to_json(self) -> dict[str, Any]:
        """The interval as JSON."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Interval:
        """The interval out of JSON."""
        return cls(estimate=row["estimate"], low=row["low"], high=row["high"], n=row["n"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One conclusion: what about (`topic`), the verdict word, and a sentence in plain English."""

    topic: str
    word: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Flips:
    """Questions that changed sides between two models, and how likely that split is by chance (exact McNemar)."""

    gained: int
    lost: int
    questions: int
    p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    """What two models know, side by side; every number has an interval.

    `scores[measure][model][condition][tier]` holds the levels: measure is `accuracy`, `margin` or `bits_per_byte`,
    model is `base` or `tuned`, condition `closed` or `open`. `gains[measure][tier]` is tuned minus base, closed book,
    paired by fact. `specific[measure]` is the gain on the document minus the gain on the placebo. `recovered` is the
    share of the way from the untrained model to the open-book ceiling. The tier `document` unites `taught` and
    `untaught`. `chance[tier]` is what guessing scores. `drift` holds bits per byte of neutral text: base, tuned, delta.
    """

    scores: Mapping[str, Mapping[str, Mapping[str, Mapping[str, Interval]]]] = field(default_factory=dict)
    gains: Mapping[str, Mapping[str, Interval]] = field(default_factory=dict)
    specific: Mapping[str, Interval] = field(default_factory=dict)
    recovered: Interval | None = None
    flips: Mapping[str, Flips] = field(default_factory=dict)
    chance: Mapping[str, float] = field(default_factory=dict)
    drift: Mapping[str, Interval] = field(default_factory=dict)
    detectable: Mapping[str, float] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    headline: str = ""
    confidence: float = 0.95

    def score(self, measure: str, model: str, condition: str, tier: str) -> Interval | None:
        """One level, or None when it was not measured."""
        return self.scores.get(measure, {}).get(model, {}).get(condition, {}).get(tier)

    def gain(self, measure: str, tier: str) -> Interval | None:
        """Tuned minus base on one tier, or None when it was not measured."""
        return self.gains.get(measure, {}).get(tier)

    def finding(self, topic: str) -> Finding | None:
        """The conclusion about `topic`, if there is one."""
        return next((finding for finding in self.findings if finding.topic == topic), None)

    def to_json(self) -> dict[str, Any]:
        """The scorecard as it stands in scorecard.json."""
        return {"schema_version": SCHEMA_VERSION} | {one.name: _plain(getattr(self, one.name)) for one in fields(self)}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Scorecard:
        """The scorecard out of scorecard.json."""
        values = {one.name: row[one.name] for one in fields(cls) if one.name in row}
        for name in ("scores", "gains", "specific", "drift"):
            values[name] = _intervals(values.get(name, {}))
        if values.get("recovered"):
            values["recovered"] = Interval.from_json(values["recovered"])
        values["flips"] = {tier: Flips(**flips) for tier, flips in values.get("flips", {}).items()}
        values["findings"] = tuple(Finding(**finding) for finding in values.get("findings", ()))
        return cls(**values)


def _plain(value: Any) -> Any:
    if isinstance(value, Interval | Finding | Flips):
        return {one.name: getattr(value, one.name) for one in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(inner) for inner in value]
    return value


def _intervals(value: Mapping[str, Any]) -> Any:
    """Nested mappings with an Interval at every leaf."""
    if "estimate" in value:
        return Interval.from_json(value)
    return {key: _intervals(inner) for key, inner in value.items()}
