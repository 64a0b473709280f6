"""TrainRows to token ids with a loss mask.

The text is what `ilab.llm.chat_templates` renders, so that training and serving read the same tokens. The mask goes by
characters: where the content of each message stands in the text is known, and a token belongs to the piece of text
that holds its last character.

    chat row           assistant contents, and the end token after each
    `unmask`           contents of every turn but the system's, and the end token after each assistant turn
    `pretraining`      the text as it is, whole, and an end token; a conversation written as text is rendered as one and
                       trained as with `unmask`

Control tokens come from the template only: text such as `<|im_end|>` inside a message is read as plain text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from ilab.base import jsonl, lazy
from ilab.errors import ConfigError, Fault, MissingModel, UserFileError
from ilab.llm import chat_templates
from ilab.llm.chat_templates import ChatTemplate
from ilab.records.messages import ROLES, Message
from ilab.records.samples import TrainRow
from ilab.training import legacy, validation
from ilab.training.token_table import UNTRAINED, TokenizedRow, TokenTable

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_MARK = re.compile("\ue000([0-9]+)\ue001")
"""Stands for the content of a message while the template's own text is found out; private-use characters."""
_MOST_FAULTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A row that is not trained, and why. `line` counts the rows of the file from 1."""

    id: str
    line: int
    tokens: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizedFile:
    """The rows of a training file. `documents` names for each row of the table the document that it is about, where
    that was asked for."""

    table: TokenTable
    documents: list[str]
    dropped: list[Dropped]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A stretch of the rendered text: the content of a message, or the template's own text (`role` is empty)."""

    text: str
    role: str = ""


class RowTokenizer:
    """Turns rows into tokens for one model.

    `end_tokens` are the ids that end an answer; the first is put after plain text, and after a last answer that the
    template leaves without one.
    """

    def __init__(self, tokenizer: Tokenizer, template: ChatTemplate, *, end_tokens: Sequence[int]) -> None:
        if not end_tokens:
            raise ConfigError("the model names no end token", hint="set eos_token in its tokenizer_config.json")
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self.tokenizer = tokenizer
        self.template = template
        self.end_tokens = tuple(end_tokens)
        added = tokenizer.get_added_tokens_decoder().items()
        self._specials = {token.content: number for number, token in added if token.special}
        longest_first = sorted(self._specials, key=len, reverse=True)
        self._special = re.compile("(" + ("|".join(map(re.escape, longest_first)) or r"(?!)") + ")")

    @classmethod
    def from_model(cls, folder: Path) -> RowTokenizer:
        """The tokenizer, template and end tokens of a safetensors folder. Raises `MissingModel` or `ConfigError`."""
        tokenizers = lazy.need("tokenizers", feature="training", extra="train")
        template = chat_templates.read_template(folder)
        path = folder / "tokenizer.json"
        if not path.exists():
            raise MissingModel(f"{folder} has no tokenizer.json", hint="give a complete model folder")
        tokenizer = tokenizers.Tokenizer.from_file(str(path))
        own = tokenizer.token_to_id(template.eos) if template.eos else None
        ends = ([] if own is None else [own]) + _configured_ends(folder)
        return cls(tokenizer, template, end_tokens=list(dict.fromkeys(ends)))

    def encode(self, row: TrainRow) -> TokenizedRow:
        """Tokens and labels of a row, however long.

        Raises `ConfigError` when the row is no conversation, or when the template refuses or changes it.
        """
        unmask = row.unmask
        messages: list[Message] = []
        for message in row.messages:
            if message.role not in ROLES:
                raise ConfigError(f"a message has the role `{message.role}`; known are {', '.join(ROLES)}")
            turns = legacy.split(message.content) if message.role == "pretraining" else None
            unmask = unmask or turns is not None
            messages.extend(turns or (message,))
        if not any(message.role == "pretraining" for message in messages):
            return self._chat_row(row.id, messages, unmask=unmask)
        if len(messages) > 1:
            raise ConfigError("plain text in a pretraining message must be the only message of its row")
        return self._text_row(row.id, messages[0].content)

    def _text_row(self, name: str, text: str) -> TokenizedRow:
        start = self.tokenizer.encode("", add_special_tokens=True).ids[:1]
        begins = start == [self._specials.get(self.template.bos)]
        ids = [*(start if begins else ()), *self._encode_plain(text)[0], self.end_tokens[0]]
        return TokenizedRow(id=name, ids=tuple(ids), labels=(UNTRAINED, *ids[1:]), text=True)

    def _chat_row(self, name: str, messages: Sequence[Message], *, unmask: bool) -> TokenizedRow:
        pieces = self.pieces(messages)
        text = "".join(piece.text for piece in pieces)
        ids, ends = self._encode_pieces(pieces)
        labels = [UNTRAINED] * len(ids)
        ended = True
        token = position = 0
        for piece in pieces:
            first, position = token, position + len(piece.text)
            while token < len(ids) and ends[token] <= position:
                token += 1
            if piece.role == "assistant" or (unmask and piece.role not in ("", "system")):
                labels[first:token] = ids[first:token]
            if piece.role:
                ended = piece.role != "assistant"
            if piece.role == "assistant" and (stop := self._after_end_token(ids, ends, token, text)):
                labels[token:stop] = ids[token:stop]
                ended = True
        if not ended:
            ids.append(self.end_tokens[0])
            labels.append(self.end_tokens[0])
        labels[:1] = [UNTRAINED] * bool(labels)
        return TokenizedRow(id=name, ids=tuple(ids), labels=tuple(labels))

    def pieces(self, messages: Sequence[Message]) -> list[Piece]:
        """The rendered conversation, cut where contents begin and end; templates may trim the contents."""
        text = self.template.render(messages, add_generation_prompt=False)
        marked = [replace(message, content=f"\ue000{number}\ue001") for number, message in enumerate(messages)]
        parts = _MARK.split(self.template.render(marked, add_generation_prompt=False))
        found: list[Piece] = []
        position = 0
        if [int(number) for number in parts[1::2]] == list(range(len(messages))):
            for message, before, after in zip(messages, parts[:-1:2], parts[2::2], strict=True):
                found += [Piece(text=before), _shown(message, text, position + len(before), after)]
                position += len(before) + len(found[-1].text)
            found.append(Piece(text=parts[-1]))
        if "".join(piece.text for piece in found) != text:
            raise ConfigError(
                "the chat template changes or leaves out a message, so what to train in it cannot be told",
                hint="give the model a chat_template.jinja that shows every message as it is",
            )
        return found

    def _encode_pieces(self, pieces: Sequence[Piece]) -> tuple[list[int], list[int]]:
        """Token ids of the joined text, with the position in characters at which each token ends."""
        if not any(piece.role and self._special.search(piece.text) for piece in pieces):
            encoding = self.tokenizer.encode("".join(piece.text for piece in pieces), add_special_tokens=False)
            return list(encoding.ids), [end for _, end in encoding.offsets]
        ids: list[int] = []
        ends: list[int] = []
        start = 0
        for text, special in self._runs(pieces):
            found, stops = ([special], [len(text)]) if special is not None else self._encode_plain(text)
            ids += found
            ends += [start + stop for stop in stops]
            start += len(text)
        return ids, ends

    def _runs(self, pieces: Sequence[Piece]) -> Iterator[tuple[str, int | None]]:
        """The text in order: plain runs, and the special tokens of the template with their ids."""
        plain = ""
        for piece in pieces:
            for part in [piece.text] if piece.role else self._special.split(piece.text):
                special = None if piece.role else self._specials.get(part)
                if special is None:
                    plain += part
                    continue
                yield plain, None
                yield part, special
                plain = ""
        yield plain, None

    def _encode_plain(self, text: str) -> tuple[list[int], list[int]]:
        """Ids and ends of text in which nothing is special."""
        self.tokenizer.encode_special_tokens = True
        try:
            encoding = self.tokenizer.encode(text, add_special_tokens=False)
        finally:
            self.tokenizer.encode_special_tokens = False
        return list(encoding.ids), [end for _, end in encoding.offsets]

    def _after_end_token(self, ids: Sequence[int], ends: Sequence[int], token: int, text: str) -> int:
        """The place after the end token that follows an answer, white space between them allowed; 0 without one."""
        for place in range(token, len(ids)):
            if ids[place] in self.end_tokens:
                return place + 1
            if text[ends[place - 1] : ends[place]].strip():
                break
        return 0


def split_long(row: TokenizedRow, limit: int) -> list[TokenizedRow]:
    """Cut a row of plain text into parts of about equal size, at most `limit` tokens each.

    Each part begins with the last token of the part before, untrained, so that every other token stays predicted.
    """
    if len(row.ids) <= limit:
        return [row]
    last = len(row.ids) - 1
    count = ceil(last / (limit - 1))
    cuts = [last * part // count for part in range(count + 1)]
    return [
        replace(row, ids=row.ids[start : end + 1], labels=(UNTRAINED, *row.labels[start + 1 : end + 1]))
        for start, end in pairwise(cuts)
    ]


def tokenize_file(
    path: Path, tokenizer: RowTokenizer, *, max_seq_len: int, name_documents: bool = False
) -> TokenizedFile:
    """Tokenise a training file. A long text becomes several rows; a long conversation is dropped.

    Raises `UserFileError` with every row that is wrong (at most 20).
    """
    table = TokenTable()
    documents: list[str] = []
    dropped: list[Dropped] = []
    faults: list[Fault] = []
    for line, raw in enumerate(jsonl.read(path), start=1):
        try:
            row = TrainRow.from_json(raw)
            encoded = tokenizer.encode(row)
        except ConfigError as error:
            faults.append(Fault(path=str(path), line=line, message=error.message, hint=error.hint))
        except (KeyError, TypeError) as error:
            faults.append(Fault(path=str(path), line=line, message=f"not a row of messages: {error!r}"))
        else:
            parts = split_long(encoded, max_seq_len) if encoded.text else [encoded]
            reason = _reason_to_drop(parts[0], max_seq_len)
            if reason:
                dropped.append(Dropped(id=row.id, line=line, tokens=len(encoded.ids), reason=reason))
                continue
            for part in parts:
                table.add(part)
            if name_documents:
                documents += [validation.document_of(row, line=line)] * len(parts)
        if len(faults) == _MOST_FAULTS:
            break
    if faults:
        raise UserFileError(f"{path} has rows that cannot be trained", faults)
    return TokenizedFile(table=table, documents=documents, dropped=dropped)


def _reason_to_drop(row: TokenizedRow, limit: int) -> str:
    if len(row.ids) > limit:
        return f"longer than {limit} tokens"
    return "" if row.trained else "nothing to train in it"


def _shown(message: Message, text: str, position: int, after: str) -> Piece:
    """The content of `message` as it stands at `position` of `text` before the template text `after`."""
    content = message.content
    for shown in (content, content.strip(), content.rstrip(), content.lstrip()):
        if text.startswith(shown + after, position):
            return Piece(text=shown, role=message.role)
    return Piece(text=content, role=message.role)


def _configured_ends(folder: Path) -> list[int]:
    """The `eos_token_id` of generation_config.json, else of config.json: one id or several."""
    for name in ("generation_config.json", "config.json"):
        path = folder / name
        value = json.loads(path.read_text(encoding="utf-8")).get("eos_token_id") if path.exists() else None
        if value is not None:
            return [int(number) for number in (value if isinstance(value, list) else [value])]
    return []
