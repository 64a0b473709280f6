"""Byte-level BPE tokenizers in both directions: GGUF metadata <-> tokenizer.json, tokenizer_config.json, chat template.

Written by hand because the conversion in transformers (5.23) forgets the digit splitting of SmolLM's tokenizer, so
that a number after two line breaks or spaces would be read differently by the trainer and by the engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ilab.base import atomic
from ilab.models import json_object
from ilab.models.faults import unusable
from ilab.models.gguf_header import GgufHeader

NORMAL, UNKNOWN, CONTROL, USER_DEFINED = 1, 2, 3, 4

_BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
_DIGITS = {"type": "Digits", "individual_digits": True}
_PRE_TOKENIZERS: dict[str, Mapping[str, Any]] = {
    "gpt-2": _BYTE_LEVEL,
    "smollm": {"type": "Sequence", "pretokenizers": [_DIGITS, _BYTE_LEVEL]},
}
_SAME_SPLIT = {"starcoder": "smollm", "refact": "smollm"}
_ID_KEYS = {"bos": "bos", "eos": "eos", "pad": "padding", "unk": "unknown"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """A byte-level BPE tokenizer: tokens by id, their kinds, merges, the way text is split first, and special ids.

    `ids` maps bos, eos, pad and unk to token ids, as far as the model has them.
    """

    tokens: list[str]
    kinds: list[int]
    merges: list[str]
    split: str
    ids: Mapping[str, int]
    chat_template: str = ""
    add_bos: bool = False


def from_gguf(header: GgufHeader) -> Vocabulary:
    """The tokenizer that a GGUF file carries. Raises `UserFileError` for kinds other than byte-level BPE."""
    values = header.values
    model, split = values.get("tokenizer.ggml.model"), str(values.get("tokenizer.ggml.pre", ""))
    split = _SAME_SPLIT.get(split, split)
    if model != "gpt2" or split not in _PRE_TOKENIZERS:
        known = ", ".join([*_PRE_TOKENIZERS, *_SAME_SPLIT])
        found = f"({model}, {split or 'unnamed'})"
        raise unusable(header.path, f"its tokenizer {found} cannot be converted; known are gpt2 with {known}")
    tokens = values.get("tokenizer.ggml.tokens", [])
    ids = {ours: values.get(f"tokenizer.ggml.{theirs}_token_id") for ours, theirs in _ID_KEYS.items()}
    wrong = [f"{name} {number}" for name, number in ids.items() if number is not None and number >= len(tokens)]
    if not tokens or wrong:
        raise unusable(header.path, f"its token ids are not in its vocabulary of {len(tokens)}: {', '.join(wrong)}")
    return Vocabulary(
        tokens=tokens,
        kinds=values.get("tokenizer.ggml.token_type", [NORMAL] * len(tokens)),
        merges=values.get("tokenizer.ggml.merges", []),
        split=split,
        ids={name: number for name, number in ids.items() if number is not None},
        chat_template=str(values.get("tokenizer.chat_template", "")),
        add_bos=bool(values.get("tokenizer.ggml.add_bos_token", False)),
    )


def write(vocabulary: Vocabulary, folder: Path, *, context_length: int) -> None:
    """Write the tokenizer files of a transformers model folder."""
    special = {name: vocabulary.tokens[number] for name, number in vocabulary.ids.items()}
    config: dict[str, Any] = {
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": context_length,
        "tokenizer_class": "PreTrainedTokenizerFast",
        **{f"{name}_token": token for name, token in special.items()},
    }
    if vocabulary.chat_template:
        config["chat_template"] = vocabulary.chat_template
        atomic.write_text(folder / "chat_template.jinja", vocabulary.chat_template)
    atomic.write_json(folder / "tokenizer_config.json", config)
    atomic.write_json(folder / "tokenizer.json", _tokenizer_json(vocabulary))
    atomic.write_json(folder / "special_tokens_map.json", {f"{name}_token": token for name, token in special.items()})


def _tokenizer_json(vocabulary: Vocabulary) -> dict[str, Any]:
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    added = [
        {"id": number, "content": vocabulary.tokens[number], **plain, "special": kind != USER_DEFINED}
        for number, kind in enumerate(vocabulary.kinds)
        if kind in (UNKNOWN, CONTROL, USER_DEFINED)
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": _PRE_TOKENIZERS[vocabulary.split],
        "post_processor": _post_processor(vocabulary),
        "decoder": _BYTE_LEVEL,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: number for number, token in enumerate(vocabulary.tokens)},
            "merges": [merge.split(" ", 1) for merge in vocabulary.merges],
        },
    }


def _post_processor(vocabulary: Vocabulary) -> dict[str, Any]:
    if not (vocabulary.add_bos and "bos" in vocabulary.ids):
        return {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}
    number = vocabulary.ids["bos"]
    token = vocabulary.tokens[number]
    bos = {"SpecialToken": {"id": token, "type_id": 0}}
    first, second = {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}
    return {
        "type": "TemplateProcessing",
        "single": [bos, first],
        "pair": [bos, first, second],
        "special_tokens": {token: {"id": token, "ids": [number], "tokens": [token]}},
    }


def read(folder: Path, *, vocabulary_size: int) -> Vocabulary:
    """The tokenizer of a transformers model folder. Raises `UserFileError` for kinds other than byte-level BPE."""
    path = folder / "tokenizer.json"
    content = json_object.read(path)
    model = content.get("model", {})
    split = _split_of(content)
    if model.get("type") != "BPE" or split is None:
        raise unusable(path, "only byte-level BPE tokenizers split as in GPT-2 or SmolLM can be converted")
    tokens, kinds = _tokens(content, vocabulary_size)
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model.get("merges", [])]
    by_token = {token: number for number, token in enumerate(tokens)}
    return Vocabulary(
        tokens=tokens,
        kinds=kinds,
        merges=merges,
        split=split,
        ids=_special_ids(folder, by_token),
        chat_template=chat_template(folder),
        add_bos=(content.get("post_processor") or {}).get("type") == "TemplateProcessing"
        and any("SpecialToken" in part for part in content["post_processor"]["single"][:1]),
    )


def chat_template(folder: Path) -> str:
    """The chat template of a transformers model folder, or an empty string."""
    path = folder / "chat_template.jinja"
    if path.exists():
        return path.read_text(encoding="utf-8")
    return str(json_object.read_if_there(folder / "tokenizer_config.json").get("chat_template") or "")


def _split_of(content: Mapping[str, Any]) -> str | None:
    """The llama.cpp name of the pre-tokenizer, or None when it has none here."""
    if content.get("normalizer") is not None:
        return None
    found = content.get("pre_tokenizer") or {}
    parts = found.get("pretokenizers", []) if found.get("type") == "Sequence" else [found]
    byte_level = [part for part in parts if part.get("type") == "ByteLevel"]
    if not byte_level or byte_level[0].get("add_prefix_space") or not byte_level[0].get("use_regex", True):
        return None
    kinds = [part.get("type") for part in parts]
    if kinds == ["ByteLevel"]:
        return "gpt-2"
    return "smollm" if kinds == ["Digits", "ByteLevel"] and parts[0].get("individual_digits") else None


def _tokens(content: Mapping[str, Any], size: int) -> tuple[list[str], list[int]]:
    """Tokens by id with their kinds; ids without a token are filled as llama.cpp's converter does."""
    tokens = [f"[PAD{number}]" for number in range(size)]
    kinds = [5] * size  # "unused"
    rows = [(token, number, NORMAL) for token, number in content["model"]["vocab"].items()]
    rows += [
        (row["content"], row["id"], CONTROL if row.get("special") else USER_DEFINED)
        for row in content.get("added_tokens", [])
    ]
    for token, number, kind in rows:
        if number < size:
            tokens[number], kinds[number] = token, kind
    return tokens, kinds


def _special_ids(folder: Path, by_token: Mapping[str, int]) -> dict[str, int]:
    """Special ids: the tokenizer's own names first, the model's generation settings where it names none."""
    ids: dict[str, int] = {}
    config = json_object.read_if_there(folder / "tokenizer_config.json")
    model = json_object.read_if_there(folder / "config.json")
    for name in _ID_KEYS:
        token = config.get(f"{name}_token")
        text = token.get("content") if isinstance(token, dict) else token
        if isinstance(text, str) and text in by_token:
            ids[name] = by_token[text]
    for name in ("bos", "eos", "pad"):
        number = model.get(f"{name}_token_id")
        number = number[0] if isinstance(number, list) and number else number
        if name not in ids and isinstance(number, int):
            ids[name] = number
    return ids
