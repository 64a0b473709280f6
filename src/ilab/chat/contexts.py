"""Named system prompts."""

from __future__ import annotations

from ilab.errors import ConfigError

DEFAULT = "default"

CONTEXTS = {
    DEFAULT: "",
    "cli_helper": (
        "You help people at a command line. Answer with the command that does what they ask, then one sentence that "
        "says what it does. Assume a Linux shell unless they name another. Say so when a command deletes or overwrites "
        "something, and say that you do not know rather than invent an option."
    ),
}
"""Context name -> system prompt. The default is empty: the model's chat template brings its own."""


def system_prompt(name: str) -> str:
    """The system prompt called `name`. Raises `ConfigError` with the known names."""
    if name not in CONTEXTS:
        raise ConfigError(f"there is no context `{name}`", hint=f"known contexts: {', '.join(sorted(CONTEXTS))}")
    return CONTEXTS[name]
