"""What a model can do, found out by asking it once: whether its answers keep to a JSON schema."""

from __future__ import annotations

import json
import threading
from concurrent.futures import Future
from typing import Any
from weakref import WeakKeyDictionary

from ilab.llm.journal import Unanswered
from ilab.llm.port import ChatModel, GenerationParams, RequestRefused
from ilab.records import messages

_WORD = "Ankaa"
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"word": {"type": "string", "enum": [_WORD]}},
    "required": ["word"],
    "additionalProperties": False,
}
_QUESTION = [messages.user("Say hello.")]
"""Nobody answers this with our word, unless made to."""

_known: WeakKeyDictionary[ChatModel, Future[bool]] = WeakKeyDictionary()
_lock = threading.Lock()


def keeps_to_schemas(model: ChatModel) -> bool:
    """Whether `model` takes `GenerationParams.schema` and keeps to it. It is asked once; others wait meanwhile.

    Many servers take the field and pass over it, so a refusal is not the only sign. Raises `TeacherError` when the
    model cannot be reached.
    """
    with _lock:
        first = _known.get(model)
        if first is None:
            mine: Future[bool] = Future()
            _known[model] = mine
    if first is not None:
        return first.result()
    try:
        mine.set_result(_tried(model))
    except BaseException as error:
        with _lock:
            del _known[model]
        mine.set_exception(error)
        raise
    return mine.result()


def _tried(model: ChatModel) -> bool:
    try:
        said = model.chat(_QUESTION, GenerationParams(schema=_SCHEMA)).text
    except (RequestRefused, Unanswered):  # a journal without this question is of a model that refused it
        return False
    try:
        return bool(json.loads(said) == {"word": _WORD})
    except (ValueError, RecursionError):
        return False
