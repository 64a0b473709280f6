"""LoRA adapters of a server: on vLLM an adapter is a model of its own; llama.cpp takes a list with each request."""

from __future__ import annotations

import threading
from pathlib import PurePosixPath
from typing import Any

from ilab.errors import TeacherError
from ilab.llm.transport import Transport

_LIST = "lora-adapters"
"""Where llama.cpp's server lists `{id, path, scale}`."""


class Loras:
    """What to put into a request so that it is answered with an adapter, or without any.

    `expected` says that some requests will name one: then the others must say that they want none, because llama.cpp
    uses every adapter it was started with where a request says nothing.
    """

    def __init__(self, transport: Transport, *, expected: bool) -> None:
        self._transport = transport
        self._expected = expected
        self._ids: dict[str, int] | None = None
        self._lock = threading.Lock()

    def chosen(self, adapter: str) -> dict[str, Any]:
        """Fields of the request for `adapter`; an empty name stands for the model itself.

        Raises `TeacherError` when the server lists adapters and this one is not among them.
        """
        if not adapter and not self._expected:
            return {}
        ids = self._listed()
        if not ids:
            return {"model": adapter} if adapter else {}
        if adapter and adapter not in ids:
            named = ", ".join(name for name in ids if not name.isdigit())
            raise TeacherError(
                f"{self._transport.shown_url} has no LoRA adapter `{adapter}`",
                hint=f"name one in models.teacher_adapters: {named}",
            )
        wanted = ids.get(adapter)
        return {"lora": [{"id": id_, "scale": float(id_ == wanted)} for id_ in sorted(set(ids.values()))]}

    def _listed(self) -> dict[str, int]:
        """The ids of llama.cpp's adapters by id, file name and stem; empty for other servers. Asked once."""
        with self._lock:
            if self._ids is None:
                self._ids = _ids_of(self._transport.find(_LIST))
            return self._ids


def _ids_of(answer: Any) -> dict[str, int]:
    rows = answer if isinstance(answer, list) else []
    ids: dict[str, int] = {}
    for row in rows:
        if isinstance(row, dict) and isinstance(row.get("id"), int):
            path = PurePosixPath(str(row.get("path", "")).replace("\\", "/"))
            for name in filter(None, (path.stem, path.name, str(row["id"]))):
                ids.setdefault(name, row["id"])
    return ids
