"""Prompts for raw completions: the conversation rendered on this side, by the model's own chat template."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ilab.errors import ConfigError
from ilab.llm.transport import Transport
from ilab.records import messages as turns
from ilab.records.messages import Message

if TYPE_CHECKING:
    from ilab.llm.chat_templates import ChatTemplate


class Raw:
    """Renders prompts with `template`, or with the one that llama.cpp's server shows under `/props`."""

    def __init__(self, transport: Transport, template: ChatTemplate | None) -> None:
        self._transport = transport
        self._template = template
        self._lock = threading.Lock()

    def prompt(self, messages: Sequence[Message]) -> str:
        """What the model reads. Raises `ConfigError` where no template is known, or it cannot render `messages`."""
        template = self._known()
        try:
            text = template.render(messages, add_generation_prompt=True)
        except ConfigError:  # many templates know no system turn
            text = template.render(_without_system(messages), add_generation_prompt=True)
        # Servers put the first token before every prompt themselves; twice harms the answers.
        return text.removeprefix(template.bos) if template.bos else text

    def _known(self) -> ChatTemplate:
        with self._lock:
            if self._template is None:
                self._template = self._shown()
            return self._template

    def _shown(self) -> ChatTemplate:
        from ilab.llm.chat_templates import ChatTemplate

        props = self._transport.find("props")
        shown = props if isinstance(props, dict) else {}
        if not shown.get("chat_template"):
            raise ConfigError(
                f"{self._transport.shown_url} does not show the chat template of its model",
                hint="name one with models.teacher_template, or ask for whole conversations: models.teacher_api chat",
            )
        return ChatTemplate(
            text=str(shown["chat_template"]),
            bos=str(shown.get("bos_token") or ""),
            eos=str(shown.get("eos_token") or ""),
        )


def _without_system(messages: Sequence[Message]) -> list[Message]:
    """The same conversation with what the system says at the start of the first user turn."""
    said = "\n\n".join(message.content for message in messages if message.role == "system")
    rest = [message for message in messages if message.role != "system"]
    if not said or not rest or rest[0].role != "user":
        return list(messages)
    return [turns.user(f"{said}\n\n{rest[0].content}"), *rest[1:]]
