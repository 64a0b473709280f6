"""The facts for the card of an exported data set: counts, licences out of the taxonomy, where the rows come from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from ilab.mixing.card import Attribution, CardFacts, read_attribution
from ilab.mixing.conversations import Item
from ilab.pipeline import data_files
from ilab.records.reviews import FILE as REVIEWS
from ilab.records.reviews import Reviews
from ilab.runs.folder import RunFolder


class Tally:
    """Counts items by kind, leaf and origin while they pass."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self.leaves: Counter[str] = Counter()
        self.origins: Counter[str] = Counter()

    def passing(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items, each counted."""
        for item in items:
            facts = data_files.metadata(item)
            self.kinds[facts.kind] += 1
            self.leaves[facts.leaf] += 1
            self.origins[facts.origin] += 1
            yield item


def facts(run: RunFolder | None, tally: Tally, *, file: str, form: str, rows: int) -> CardFacts:
    """What the card tells. Counts of which nothing is known are left out."""
    leaves = [leaf for leaf in sorted(tally.leaves) if leaf]
    return CardFacts(
        file=file,
        form=form,
        rows=rows,
        kinds=_known(tally.kinds),
        leaves=_known(tally.leaves),
        origins=_known(tally.origins),
        attributions=_attributions(run, leaves) if run else (),
        lineage=_lineage(run) if run else {},
        reviewed=_reviewed(run) if run else {},
    )


def _known(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items())) if any(counts) else {}


def _attributions(run: RunFolder, leaves: Iterable[str]) -> list[Attribution]:
    """The attribution of each leaf as the taxonomy has it now."""
    named = run.manifest.inputs.get("taxonomy") or run.manifest.settings.get("taxonomy", {}).get("path") or ""
    root = Path(run.manifest.cwd, str(named))
    root = root if root.is_dir() else root.parent
    return [read_attribution(leaf, _text(root / leaf / "attribution.txt")) for leaf in leaves]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _lineage(run: RunFolder) -> dict[str, str]:
    models = run.manifest.settings.get("models", {})
    teacher = models.get("teacher_model") if models.get("teacher_endpoint") else models.get("teacher")
    settings = run.manifest.settings.get("sdg", {})
    return {
        "run": run.id,
        "made with": f"openilab {run.manifest.packages.get('openilab', '')}".strip(),
        "started": run.manifest.started,
        "taxonomy commit": str(run.manifest.inputs.get("commit") or "not known"),
        "teacher": _name(str(teacher or "the only model of a server")),
        "flow": Path(str(settings.get("flow", ""))).name,
        "seed": str(settings.get("seed", "")),
    }


def _name(model: str) -> str:
    """A reference as it is; of a path only the last part, because the rest says where a machine keeps its files."""
    return model if "://" in model or not model.startswith((".", "/", "~")) else Path(model).name


def _reviewed(run: RunFolder) -> dict[str, int]:
    path, samples = run.folder / REVIEWS, run.stages / data_files.GENERATED / "samples.jsonl"
    if not path.exists() or not samples.is_file():
        return {}
    reviews = Reviews(path)
    generated = data_files.DataFile(path=samples).items()
    return reviews.counts(data_files.metadata(item).id for item in generated)
