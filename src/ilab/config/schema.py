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


class TeacherAdapters(BaseModel, extra="forbid", frozen=True):
    """LoRA adapters that the teacher's server has, by the prompts they are for; empty is the model itself.

    On vLLM the name of the adapter's model, on llama.cpp the name of its file or its id.
    """

    skills: str = ""
    """Adapter for the prompts about skills."""
    knowledge: str = ""
    """Adapter for the prompts about knowledge."""


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
    teacher_adapters: TeacherAdapters = TeacherAdapters()
    teacher_api: Literal["chat", "completions"] = "chat"
    """How the teacher's server is asked: whole conversations, or `completions` of prompts that are rendered here."""
    teacher_template: str = ""
    """For `completions`: a file with the model's chat template, or a folder with its tokenizer.

    Empty takes the template that the server shows, which only llama.cpp's does.
    """
    teacher_tls_ca: str = ""
    """PEM file of the certificate authorities to trust for the teacher's server; empty takes the usual ones."""
    teacher_tls_insecure: bool = False
    """Trust any certificate of the teacher's server. Whoever is on the way can then read and change everything."""
    teacher_tls_client_cert: str = ""
    """PEM file of your certificate, for a teacher's server that asks for one."""
    teacher_tls_client_key: str = ""
    """PEM file of the certificate's key; empty when the file of the certificate has it."""
    teacher_tls_client_password: SecretStr = SecretStr("")
    """Password of that key. Others see a flag in the list of processes: `teacher_tls_client_password_file` is safer."""
    teacher_tls_client_password_file: str = ""
    """File whose first line is the password of the key; used where none is given."""


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
