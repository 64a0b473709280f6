"""Look up and render chat templates. Training and the torch engine both come here, so both see the same text.

The environment has the options, filters and functions that templates from model hubs expect: trimmed blocks,
`raise_exception`, `strftime_now`, `tojson` without HTML escapes, `{% generation %}` blocks, loop controls, in a
sandbox.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
import jinja2.nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ilab.errors import ConfigError, MissingModel
from ilab.records.messages import Message

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""The template of models that bring none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatTemplate:
    """A model's chat template with the two special tokens that it may name."""

    text: str
    bos: str = ""
    eos: str = ""

    def render(self, messages: Sequence[Message], *, add_generation_prompt: bool) -> str:
        """The conversation as the model reads it; see the function `render`."""
        return render(
            self.text, messages, add_generation_prompt=add_generation_prompt, bos_token=self.bos, eos_token=self.eos
        )


class _Generation(Extension):
    """`{% generation %}...{% endgeneration %}` marks what the assistant says; the text passes through unchanged."""

    tags = {"generation"}  # noqa: RUF012 - the name and kind that jinja2 asks for

    def parse(self, parser: Parser) -> list[jinja2.nodes.Node]:
        """Keep the body of the block as a scope of its own."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return [jinja2.nodes.Scope(body, lineno=line)]


def render(
    template: str,
    messages: Sequence[Message],
    *,
    add_generation_prompt: bool,
    bos_token: str = "",
    eos_token: str = "",
) -> str:
    """Render `messages`; with `add_generation_prompt` the text ends where the assistant's next answer starts.

    Raises `ConfigError` when the template is broken, or when it refuses the conversation (for example two user turns
    in a row).
    """
    try:
        return _compile(template).render(
            messages=[{"role": message.role, "content": message.content} for message in messages],
            add_generation_prompt=add_generation_prompt,
            bos_token=bos_token,
            eos_token=eos_token,
            tools=None,
            documents=None,
        )
    except jinja2.TemplateError as error:
        raise ConfigError(f"the chat template cannot render this conversation: {error}") from error


def read_template(model_folder: Path) -> ChatTemplate:
    """The template of a safetensors folder: `chat_template.jinja`, else the one in tokenizer_config.json, else ChatML.

    Raises `MissingModel` when the folder has no readable tokenizer_config.json.
    """
    path = model_folder / "tokenizer_config.json"
    try:
        settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MissingModel(
            f"{model_folder} has no tokenizer_config.json", hint="give a complete model folder"
        ) from error
    except ValueError as error:
        raise MissingModel(f"{path} is not valid JSON: {error}") from error
    file = model_folder / "chat_template.jinja"
    text = file.read_text(encoding="utf-8") if file.exists() else _default_template(settings.get("chat_template"))
    return ChatTemplate(
        text=text or CHATML, bos=_token(settings.get("bos_token")), eos=_token(settings.get("eos_token"))
    )


def _default_template(value: Any) -> str:
    """The template out of its two spellings: a string, or a list of named templates."""
    if isinstance(value, list):
        named = {str(entry.get("name")): str(entry.get("template", "")) for entry in value}
        return named.get("default") or next(iter(named.values()), "")
    return value if isinstance(value, str) else ""


def _token(value: Any) -> str:
    """A special token out of its two spellings: a string, or an object with its content."""
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) else ""


@lru_cache(maxsize=32)
def _compile(template: str) -> jinja2.Template:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, "jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = lambda pattern: datetime.now().strftime(pattern)
    return environment.from_string(template)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON as models were trained on it: jinja2's own filter escapes HTML characters."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise_exception(message: str) -> None:
    raise jinja2.TemplateError(message)
