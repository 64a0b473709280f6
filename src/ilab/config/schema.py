"""Config: one field a room, each the room's own settings; plus the model choices and a few general settings."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, SecretStr

from ilab.chat.settings import ChatSettings
from ilab.documents.settings import DocumentSettings
from ilab.evaluation.settings import EvalSettings
from ilab.mixing.settings import MixSettings
from ilab.models.settings import EMBEDDED, StoreSettings
from ilab.sdg.settings import SdgSettings
from ilab.serving.settings import ServeSettings
from ilab.taxonomy.settings import TaxonomySettings
from ilab.training.settings import TrainSettings


class GeneralSettings(BaseModel, extra="forbid", frozen=True):
    """What belongs to no room."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "WARNING"
    """Log lines of this level and above are shown on stderr; `-v` shows more."""
    profile: str = ""
    """Profile whose values replace the defaults: a name such as `L4_x8.yaml`, or the path of a YAML file."""


class ModelChoices(BaseModel, extra="forbid", frozen=True):
    """Which model plays which part. A model is a name in the store, a folder, a file or a reference."""

    teacher: str = EMBEDDED
    """Model that writes the training examples."""
    student: str = EMBEDDED
    """Model that is trained."""
    judge: str = EMBEDDED
    """Model that compares answers."""
    teacher_endpoint: str = ""
    """URL of an OpenAI-compatible server that is the teacher, or several of the same model with commas between them.

    Empty starts one for the teacher model.
    """
    teacher_model: str = ""
    """Name of the model at the teacher's server; empty takes the only one."""
    teacher_api_key: SecretStr = SecretStr("")
    """Key for the teacher's server; better kept in the environment than in the file."""
    teacher_api_key_file: str = ""
    """File whose first line is that key; used where none is given."""


class Config(BaseModel, extra="forbid", frozen=True):
    """Everything that can be set."""

    general: GeneralSettings = GeneralSettings()
    models: ModelChoices = ModelChoices()
    store: StoreSettings = StoreSettings()
    taxonomy: TaxonomySettings = TaxonomySettings()
    documents: DocumentSettings = DocumentSettings()
    sdg: SdgSettings = SdgSettings()
    mixing: MixSettings = MixSettings()
    training: TrainSettings = TrainSettings()
    evaluation: EvalSettings = EvalSettings()
    serving: ServeSettings = ServeSettings()
    chat: ChatSettings = ChatSettings()
