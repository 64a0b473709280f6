"""Job: what a run is asked to do: each room's settings, the models by reference, and where things are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ilab.documents.settings import DocumentSettings
from ilab.evaluation.settings import EvalSettings
from ilab.llm.tls import Tls
from ilab.mixing.settings import MixSettings
from ilab.models.store import ModelStore
from ilab.sdg.settings import SdgSettings
from ilab.serving.settings import ServeSettings
from ilab.taxonomy.settings import TaxonomySettings
from ilab.training.settings import TrainSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """Which model plays which part, as references.

    With `teacher_endpoint` the teacher is a server elsewhere, and `teacher_model` the name of the model there.
    `teacher_adapters` are names of its LoRA adapters by role; with `teacher_raw` it is asked for completions of prompts
    that `teacher_template` renders, a file or a folder.
    """

    teacher: str
    student: str
    judge: str
    teacher_endpoint: str = ""
    teacher_model: str = ""
    teacher_api_key: str = field(default="", repr=False)
    teacher_tls: Tls = field(default_factory=Tls)
    teacher_adapters: Mapping[str, str] = field(default_factory=dict)
    teacher_raw: bool = False
    teacher_template: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Everything a run needs beside its folder. `taxonomy_path` is resolved; `cache` may be deleted at any time."""

    taxonomy_path: Path
    taxonomy: TaxonomySettings
    documents: DocumentSettings
    sdg: SdgSettings
    mixing: MixSettings
    training: TrainSettings
    evaluation: EvalSettings
    serving: ServeSettings
    models: Models
    store: ModelStore
    cache: Path
    name: str = "tuned"
