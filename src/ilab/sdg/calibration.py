"""Judges are tried before they filter: on the user's own examples, and on the same made wrong by rule.

A judge whose AUC (see `trial`) is below `judge_min_auc` scores rows and rejects none, and a warning says so.

    <stage folder>/calibration.json    what each judge made of its cases; kept, so that a resumed run asks nothing twice
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ilab.base import atomic, digest
from ilab.base.report import Reporter
from ilab.llm.pool import Pool
from ilab.records import seeds as seed_kinds
from ilab.records.seeds import Seed
from ilab.sdg import flow as flows
from ilab.sdg import trial as trials_of
from ilab.sdg.blocks.base import Tools
from ilab.sdg.blocks.judge import Measure
from ilab.sdg.flow import Flow
from ilab.sdg.judge_cases import Case
from ilab.sdg.row import Usage
from ilab.sdg.settings import SdgSettings
from ilab.sdg.teaching import Models
from ilab.sdg.trial import GROUND, JUDGE, PREFER, Trial, Use

FILE = "calibration.json"
_VERSION = 1
_LEAVES = (seed_kinds.KNOWLEDGE, seed_kinds.GROUNDED_SKILL, seed_kinds.FREEFORM_SKILL)
_SECTIONS = (*_LEAVES, flows.CROSS_CHUNK, flows.GAPS, flows.MMLU)
_ASKED_WITH = {"temperature", "max_tokens", "seed", "structured", "reasks"}
"""Settings that change what a judge says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The trials of a run's judges, and the AUC that a judge must have to filter."""

    trials: tuple[Trial, ...]
    least: float

    @property
    def usage(self) -> Usage:
        """What the trials cost, when they were made."""
        spent: Counter[str] = Counter()
        for trial in self.trials:
            spent.update(trial.usage)
        return Usage(**spent)

    @property
    def mute(self) -> frozenset[str]:
        """Names of the judges that do not filter."""
        return frozenset(trial.name for trial in self.trials if not trial.filters(self.least))

    def to_json(self) -> dict[str, Any]:
        """One entry a judge, by its name."""
        return {
            trial.name: asdict(trial) | {"filters": trial.filters(self.least), "note": trial.note(self.least)}
            for trial in self.trials
        }


def calibrate(
    flow: Flow,
    seeds: Sequence[Seed],
    models: Models,
    settings: SdgSettings,
    pool: Pool | None,
    folder: Path,
    report: Reporter,
) -> Calibration:
    """Try every judge of `flow` on cases made of `seeds`; what `folder` has of an earlier try is taken from there."""
    known = _stored(folder / FILE)
    uses = judges_of(flow)
    trials: dict[str, Trial] = {}
    digests: dict[str, str] = {}
    for done, (name, own) in enumerate(uses.items()):
        report.progress("judges", done, len(uses), judge=name)
        cases = trials_of.cases_of(own[0], seeds)
        digests[name] = _digest(own, cases, models, settings)
        earlier = known.get(name, {})
        if earlier.get("digest") == digests[name]:
            trials[name] = Trial(**earlier["trial"])
            continue
        tools = Tools(teacher=models.teacher, scorer=models.scorer, render=models.render, settings=settings, pool=pool)
        trials[name] = trials_of.try_judge(own, cases, tools)
        _store(folder / FILE, {**known, **_entries(trials, digests, settings)})
    if uses:
        report.progress("judges", len(uses), len(uses))
        _store(folder / FILE, _entries(trials, digests, settings))
    found = Calibration(trials=tuple(trials.values()), least=settings.judge_min_auc)
    _tell(found, report)
    return found


def judges_of(flow: Flow) -> dict[str, list[Use]]:
    """The judges of `flow` by name, each with every different way in which it is used.

    Raises `ConfigError` for a judge whose options its verdicts never meet: before anybody is asked.
    """
    found: dict[str, list[Use]] = {}
    for section, block, options in _steps(flow):
        if block == JUDGE:
            Measure(options)
        name = GROUND if block == GROUND else str(options.get("prompt", "judge_choice"))
        kind = section if section in _LEAVES else seed_kinds.KNOWLEDGE
        uses = found.setdefault(name, [])
        kinds = tuple(dict.fromkeys([*(uses[0].kinds if uses else ()), kind]))
        uses.append(Use(name=name, block=block, options=options, kinds=kinds))
        unique = {digest.of_value(use.options): use for use in uses}
        found[name] = [Use(name=name, block=use.block, options=use.options, kinds=kinds) for use in unique.values()]
    return found


def _steps(flow: Flow) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Section, block and options of each judge, in the order of the flow."""
    for section in _SECTIONS:
        for steps in flow.paths(section).values():
            for spec in steps:
                if spec.block in (GROUND, JUDGE, PREFER):
                    options = {key: value for key, value in spec.options.items() if key != "per"}
                    yield section, spec.block, options


def _digest(uses: Sequence[Use], cases: Sequence[Case], models: Models, settings: SdgSettings) -> str:
    prompt = {} if uses[0].block == GROUND else flows.prompt(uses[0].name)
    told = settings.model_dump(include=_ASKED_WITH)
    steps = [[use.block, use.options] for use in uses]
    return digest.of_value([_VERSION, steps, prompt, [asdict(case) for case in cases], told, models.identity])[:24]


def _entries(trials: Mapping[str, Trial], digests: Mapping[str, str], settings: SdgSettings) -> dict[str, Any]:
    told = Calibration(trials=tuple(trials.values()), least=settings.judge_min_auc).to_json()
    return {
        name: {
            "digest": digests[name],
            "trial": asdict(trial),
            "filters": told[name]["filters"],
            "note": told[name]["note"],
        }
        for name, trial in trials.items()
    }


def _stored(path: Path) -> dict[str, Any]:
    """The entries of an earlier try; none where there is no such file, or another program wrote it."""
    try:
        content = json.loads(path.read_bytes())
        return dict(content["judges"]) if content["version"] == _VERSION else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _store(path: Path, entries: Mapping[str, Any]) -> None:
    if _stored(path) != entries:
        atomic.write_json(path, {"version": _VERSION, "judges": entries})


def read(folder: Path) -> dict[str, Any]:
    """What a stage folder has of its judges, as `Calibration.to_json` tells it; empty without calibration."""
    return {
        name: {**entry["trial"], "filters": entry["filters"], "note": entry["note"]}
        for name, entry in _stored(folder / FILE).items()
    }


def _tell(found: Calibration, report: Reporter) -> None:
    for trial in found.trials:
        if note := trial.note(found.least):
            does = "filters untested" if trial.filters(found.least) else "does not filter"
            report.warning(f"judge `{trial.name}` {does}: {note}")
