"""Conversations written as text inside a `pretraining` message, in the two spellings that training files have used."""

from __future__ import annotations

import re

from ilab.records.messages import Message

_MARKS = re.compile(r"(?:^|\n)<\|(system|user|assistant)\|>\n?")
_ROLES = re.compile(r"<\|start_of_role\|>(system|user|assistant)<\|end_of_role\|>")
_ENDS = re.compile(r"\n?<\|end_?of_?text\|>\s*$")


def split(content: str) -> tuple[Message, ...] | None:
    """The turns in `content`, or None when it is plain text.

    Understands `<|user|>\\n...\\n<|assistant|>\\n...` and `<|start_of_role|>user<|end_of_role|>...<|end_of_text|>`. The
    text must begin with a turn and have an answer: a document that only mentions such marks stays a document.
    """
    text = content.lstrip()
    for marks in (_MARKS, _ROLES):
        head, *parts = marks.split(text)
        roles, contents = parts[::2], parts[1::2]
        if not head and "user" in roles and "assistant" in roles:
            return tuple(
                Message(role=role, content=_ENDS.sub("", turn)) for role, turn in zip(roles, contents, strict=True)
            )
    return None
