"""Back-fill: leaves with too few samples are asked about again, until they have enough, or with a reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ilab.base.report import Reporter
from ilab.records.seeds import KNOWLEDGE, Seed
from ilab.sdg.settings import SdgSettings
from ilab.sdg.units import Unit

NOTHING_NEW = "the last round added nothing new"
NO_ROUNDS = "no rounds left"
NOT_ASKED = "nothing is asked of a teacher in its paths"


@dataclass(slots=True, kw_only=True)
class Target:
    """How many samples a leaf should have and has, how many further rounds there were, and why it has fewer."""

    target: int
    kept: int = 0
    rounds: int = 0
    reason: str = ""

    @property
    def short(self) -> bool:
        """Whether samples are missing."""
        return self.kept < self.target


class Targets:
    """The targets of a run's leaves. Knowledge has one only where `samples_per_leaf` is set."""

    def __init__(self, units: Iterable[Unit], seeds: Sequence[Seed], settings: SdgSettings) -> None:
        self._rounds = settings.rounds
        kinds = {seed.leaf: seed.kind for seed in seeds}
        self._again: dict[str, list[Unit]] = {}
        for unit in units:
            own = self._again.setdefault(unit.leaf, [])
            if unit.asks and unit.section in (KNOWLEDGE, kinds.get(unit.leaf)):
                own.append(unit)
        self._leaves = {
            leaf: Target(target=wanted)
            for leaf in sorted(self._again)
            if (wanted := settings.samples_per_leaf or (settings.scale_factor if _is_skill(leaf, kinds) else 0))
        }

    def __bool__(self) -> bool:
        return bool(self._leaves)

    def units(self, number: int, kept: Mapping[str, int]) -> list[Unit]:
        """The units of round `number`, from 1, where leaves have `kept` samples so far; none when all is done."""
        found: list[Unit] = []
        for leaf, target in self._leaves.items():
            before, target.kept = target.kept, kept.get(leaf, 0)
            if not target.short or target.reason:
                continue
            if not self._again[leaf]:
                target.reason = NOT_ASKED
            elif target.rounds and target.kept <= before:
                target.reason = NOTHING_NEW
            elif number > self._rounds:
                target.reason = NO_ROUNDS
            else:
                target.rounds = number
                found += [unit.again(number) for unit in self._again[leaf]]
        return found

    def tell(self, report: Reporter) -> dict[str, Any]:
        """Warn of leaves that fell short; all targets as JSON."""
        for leaf, target in self._leaves.items():
            if target.short:
                report.warning(f"leaf {leaf} has {target.kept} of {target.target} samples: {target.reason}")
        return {leaf: asdict(target) for leaf, target in self._leaves.items()}


def _is_skill(leaf: str, kinds: Mapping[str, str]) -> bool:
    return kinds.get(leaf, KNOWLEDGE) != KNOWLEDGE
