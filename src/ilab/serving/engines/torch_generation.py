"""Decode answers with a causal language model, token by token: greedy or sampled, stop strings, streaming."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from tokenizers import Tokenizer

from ilab.llm.port import GenerationParams

_END_TOKENS = ("<|im_end|>", "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>", "</s>")
"""Tokens that end a turn in common templates: converted models often name a wrong one in their settings."""


@dataclass(slots=True, kw_only=True)
class Usage:
    """What an answer cost in tokens, and why it ended ("stop" or "length"); complete once the pieces are read."""

    prompt_tokens: int
    cached_tokens: int = 0
    completion_tokens: int = 0
    finish_reason: str = "length"


@dataclass(slots=True)
class _Memory:
    """Keys and values of the last conversation, so that its next turn computes the new tokens only."""

    ids: list[int] = field(default_factory=list)
    layers: list[tuple[torch.Tensor, torch.Tensor]] = field(default_factory=list)


class Generator:
    """Answers prompts with one model. Not safe for use from several threads at once."""

    def __init__(self, model: Any, tokenizer: Tokenizer, *, context: int, remember: bool) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.context = min(context, model.config.max_position_embeddings)
        self.ends = _end_ids(model, tokenizer)
        self._memory = _Memory()
        self._remember = remember

    def start(self, prompt: str, params: GenerationParams) -> tuple[Iterator[str], Usage]:
        """The answer to `prompt` in pieces, and its cost. Raises `ValueError` when the prompt fills the context."""
        ids = self.tokenizer.encode(prompt, add_special_tokens=False).ids
        if len(ids) >= self.context:
            raise ValueError(f"the prompt of {len(ids)} tokens exceeds the context of {self.context} tokens")
        usage = Usage(prompt_tokens=len(ids))
        return _until_stop(self._texts(ids, params, usage), params.stop, usage), usage

    def _texts(self, ids: list[int], params: GenerationParams, usage: Usage) -> Iterator[str]:
        """The growing text after each token; parts of a character are held back."""
        made: list[int] = []
        for token in self._tokens(ids, params, usage):
            made.append(token)
            usage.completion_tokens = len(made)
            text = self.tokenizer.decode(made, skip_special_tokens=True)
            if not text.endswith("\ufffd"):
                yield text
        yield self.tokenizer.decode(made, skip_special_tokens=True)

    def _tokens(self, ids: list[int], params: GenerationParams, usage: Usage) -> Iterator[int]:
        from transformers import DynamicCache

        known = self._recall(ids)
        usage.cached_tokens = known
        cache = DynamicCache(
            [(k[..., :known, :], v[..., :known, :]) for k, v in self._memory.layers] if known else None
        )
        read = list(ids)
        fresh = ids[known:]
        random = torch.Generator(device=self.model.device).manual_seed(params.seed)
        for _ in range(min(params.max_tokens, self.context - len(ids))):
            with torch.inference_mode():
                batch = torch.tensor([fresh], device=self.model.device)
                logits = self.model(input_ids=batch, past_key_values=cache, use_cache=True, logits_to_keep=1).logits
                token = _pick(logits[0, -1].float(), params, random)
            self._keep(read, cache)
            if token in self.ends:
                usage.finish_reason = "stop"
                return
            yield token
            fresh = [token]
            read = [*read, token]

    def _recall(self, ids: Sequence[int]) -> int:
        """How many leading tokens of `ids` are in memory; the last one is always computed, for its logits."""
        length = 0
        for one, other in zip(ids[:-1], self._memory.ids, strict=False):
            if one != other:
                break
            length += 1
        return length

    def _keep(self, ids: list[int], cache: Any) -> None:
        if self._remember:
            self._memory = _Memory(ids, [(layer.keys, layer.values) for layer in cache.layers])


def _pick(logits: torch.Tensor, params: GenerationParams, random: torch.Generator) -> int:
    """The next token: the likeliest at temperature 0, else one drawn from the smallest set with mass `top_p`."""
    if params.temperature <= 0:
        return int(logits.argmax())
    ordered, tokens = torch.softmax(logits / params.temperature, dim=-1).sort(descending=True)
    before = ordered.cumsum(0) - ordered
    ordered = ordered.masked_fill(before >= params.top_p, 0.0) if params.top_p < 1 else ordered
    return int(tokens[torch.multinomial(ordered, 1, generator=random)])


def _until_stop(texts: Iterator[str], stops: Sequence[str], usage: Usage) -> Iterator[str]:
    """New text piece by piece up to the first stop string; a possible start of one is held back until it is clear."""
    said, text = 0, ""
    for text in texts:
        found = [place for stop in stops if (place := text.find(stop)) >= 0]
        if found:
            usage.finish_reason = "stop"
            if min(found) > said:
                yield text[said : min(found)]
            return
        safe = len(text) - max((_overlap(text, stop) for stop in stops), default=0)
        if safe > said:
            yield text[said:safe]
            said = safe
    if len(text) > said:
        yield text[said:]


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that is a start of `stop`."""
    return next((size for size in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:size])), 0)


def _end_ids(model: Any, tokenizer: Tokenizer) -> frozenset[int]:
    """Every token that ends an answer: as the settings name them, and the usual ones that the vocabulary has."""
    named: list[int] = []
    for settings in (model.config, model.generation_config):
        value = getattr(settings, "eos_token_id", None)
        named += value if isinstance(value, list) else [value] if value is not None else []
    usual = (tokenizer.token_to_id(token) for token in _END_TOKENS)
    return frozenset([*named, *(token for token in usual if token is not None)])
