"""Exact log-probabilities of continuations, computed once for whatever requests share.

Every (request, continuation) is one sequence of token ids. Sequences with the same leading tokens share them: they
form a tree, and the tree is laid out in one row whose attention mask lets each token see its own ancestors only. So a
question with four answers costs the question once, and nothing is padded. A leading part shared by many requests (a
document chunk) is computed once into a key-value cache that all rows of the group attend to. The output layer runs
only where a scored token follows. `score_plain` is the definition: one full forward pass for each sequence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from tokenizers import Tokenizer

from ilab.llm.port import ScoreRequest, TokenScore

ROW_TOKENS = 512
"""Most tokens of a row: more amortise reading the weights, fewer keep the attention among strangers small."""
_WORTH_CACHING = 32
_OUTPUT_ROWS = 256
"""Positions that go through the output layer at once; bounds the memory for logits (positions x vocabulary)."""
_PACKABLE = ("llama", "mistral", "qwen2", "qwen3", "granite")
"""Architectures known to take a mask and positions of our own, with rotary positions and full attention."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """One continuation after its context: the token ids from `split` on are scored, each given all before it."""

    ids: tuple[int, ...]
    split: int


def encode(tokenizer: Tokenizer, request: ScoreRequest, *, start: int) -> list[Encoded]:
    """Tokenise context and continuation jointly, as the model would read them.

    A token may reach over the border between the two; the split is therefore the longest common token prefix of the
    context alone and of all joint texts, so that every continuation of a request is scored from the same place. `start`
    is put before an empty context, since the first token needs something before it. Special tokens in the text are
    read as such.
    """
    head = request.prefix + request.context
    texts = [head, *(head + continuation for continuation in request.continuations)]
    encoded = [tuple(one.ids) for one in tokenizer.encode_batch(texts, add_special_tokens=False)]
    split = min(_common(encoded[0], ids) for ids in encoded)
    if split == 0:
        return [Encoded(ids=(start, *ids), split=1) for ids in encoded[1:]]
    return [Encoded(ids=ids, split=split) for ids in encoded[1:]]


def score(
    model: Any, tokenizer: Tokenizer, requests: Sequence[ScoreRequest], *, row_tokens: int = ROW_TOKENS
) -> list[list[TokenScore]]:
    """One list of scores for each request, equal to `score_plain` up to rounding.

    Raises `ValueError` when a sequence is longer than the model's context.
    """
    if not packable(model.config):
        return score_plain(model, tokenizer, requests)
    encoded = _encode_all(model, tokenizer, requests)
    groups: dict[str, list[int]] = {}
    for position, request in enumerate(requests):
        groups.setdefault(request.prefix, []).append(position)
    scores: list[list[TokenScore]] = [[] for _ in requests]
    with torch.inference_mode():
        for positions in groups.values():
            sequences = [sequence for position in positions for sequence in encoded[position]]
            results = iter(_score_group(model, sequences, row_tokens))
            for position in positions:
                scores[position] = [next(results) for _ in encoded[position]]
    return scores


def score_plain(model: Any, tokenizer: Tokenizer, requests: Sequence[ScoreRequest]) -> list[list[TokenScore]]:
    """The same scores by one full forward pass for each continuation; for any architecture."""
    with torch.inference_mode():
        return [
            [_score_alone(model, sequence) for sequence in sequences]
            for sequences in _encode_all(model, tokenizer, requests)
        ]


def packable(config: Any) -> bool:
    """Whether a model of this configuration may be scored in packed rows."""
    layers = getattr(config, "layer_types", None) or ["full_attention"]
    window = getattr(config, "sliding_window", None) if getattr(config, "use_sliding_window", True) else None
    rope = (getattr(config, "rope_parameters", None) or {}).get("rope_type", "default")
    full = set(layers) == {"full_attention"} and window is None
    return config.model_type in _PACKABLE and full and rope in ("default", "linear", "llama3", "yarn")


def _encode_all(model: Any, tokenizer: Tokenizer, requests: Sequence[ScoreRequest]) -> list[list[Encoded]]:
    start = model.config.bos_token_id
    if start is None:
        ends = model.config.eos_token_id
        start = ends[0] if isinstance(ends, list) else (ends or 0)
    encoded = [encode(tokenizer, request, start=start) for request in requests]
    longest = max((len(sequence.ids) for row in encoded for sequence in row), default=0)
    limit = model.config.max_position_embeddings
    if longest > limit:
        raise ValueError(f"a text of {longest} tokens does not fit the context of {limit} tokens")
    return encoded


def _score_alone(model: Any, sequence: Encoded) -> TokenScore:
    ids = torch.tensor([sequence.ids], device=model.device)
    logits = model(input_ids=ids, use_cache=False).logits[0, sequence.split - 1 : -1].float()
    targets = ids[0, sequence.split :, None]
    total = torch.log_softmax(logits, dim=-1).gather(1, targets).sum().item() if len(targets) else 0.0
    return TokenScore(logprob=total, tokens=len(targets))


@dataclass(slots=True)
class _Row:
    """A tree of tokens in one row. Node -1 is the end of the shared part; parents stand before their children."""

    tokens: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    children: dict[tuple[int, int], int] = field(default_factory=dict)
    members: list[tuple[int, list[tuple[int, int]]]] = field(default_factory=list)
    """(sequence, its scored tokens as (node before, token))."""

    def missing(self, tail: Sequence[int]) -> int:
        """How many nodes `tail` would add."""
        node = -1
        for depth, token in enumerate(tail[:-1]):
            child = self.children.get((node, token))
            if child is None:
                return len(tail) - 1 - depth
            node = child
        return 0

    def add(self, sequence: int, tail: Sequence[int], split: int) -> None:
        """Add a sequence whose tokens from `split` on are scored. Its last token is predicted, never read."""
        scored: list[tuple[int, int]] = []
        node = -1
        for depth, token in enumerate(tail):
            if depth >= split:
                scored.append((node, token))
            if depth < len(tail) - 1:
                node = self._child(node, token, depth)
        self.members.append((sequence, scored))

    def _child(self, node: int, token: int, depth: int) -> int:
        child = self.children.get((node, token))
        if child is None:
            child = self.children[node, token] = len(self.tokens)
            self.tokens.append(token)
            self.parents.append(node)
            self.depths.append(depth)
        return child


def _score_group(model: Any, sequences: Sequence[Encoded], row_tokens: int) -> list[TokenScore]:
    """Scores of sequences that may share their first tokens."""
    shared = _shared_length(sequences)
    whole = sum(len(sequence.ids) - shared for sequence in sequences) + shared
    if shared < _WORTH_CACHING or whole <= row_tokens:
        shared = 0
    cache = _prefill(model, sequences[0].ids[:shared]) if shared else None
    logprobs = [0.0] * len(sequences)
    for row in _rows(sequences, shared, row_tokens):
        for sequence, logprob in _run(model, row, cache, shared):
            logprobs[sequence] = logprob
    return [
        TokenScore(logprob=logprob, tokens=len(sequence.ids) - sequence.split)
        for logprob, sequence in zip(logprobs, sequences, strict=True)
    ]


def _shared_length(sequences: Sequence[Encoded]) -> int:
    """Length of the token prefix that all sequences share, kept short of every first scored token's predecessor."""
    if not sequences:
        return 0
    first = sequences[0].ids
    return min(min(_common(first, sequence.ids), sequence.split - 1) for sequence in sequences)


def _rows(sequences: Sequence[Encoded], shared: int, row_tokens: int) -> Iterator[_Row]:
    """Fill rows in the given order, which keeps the continuations of a request together; empty ones need no row."""
    row = _Row()
    for number, sequence in enumerate(sequences):
        if sequence.split == len(sequence.ids):
            continue
        tail = sequence.ids[shared:]
        if row.tokens and len(row.tokens) + row.missing(tail) > row_tokens:
            yield row
            row = _Row()
        row.add(number, tail, sequence.split - shared)
    if row.members:
        yield row


def _prefill(model: Any, ids: Sequence[int]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Keys and values of the shared tokens, layer by layer."""
    output = model.model(input_ids=torch.tensor([ids], device=model.device), use_cache=True)
    return [(layer.keys, layer.values) for layer in output.past_key_values.layers]


def _run(
    model: Any, row: _Row, cache: list[tuple[torch.Tensor, torch.Tensor]] | None, shared: int
) -> Iterator[tuple[int, float]]:
    """Compute one row; yields each member sequence with the sum of its scored tokens."""
    from transformers import DynamicCache

    hidden = model.model(
        input_ids=torch.tensor([row.tokens], device=model.device),
        attention_mask=_mask(row.parents, shared).to(model.device, model.dtype),
        position_ids=torch.tensor([row.depths], device=model.device) + shared,
        past_key_values=DynamicCache(cache) if cache is not None else None,
        use_cache=cache is not None,
    ).last_hidden_state[0]
    pairs = sorted({pair for _, scored in row.members for pair in scored})
    logprob = dict(zip(pairs, _logprobs(model, hidden, pairs), strict=True))
    for sequence, scored in row.members:
        yield sequence, sum(logprob[pair] for pair in scored)


def _mask(parents: Sequence[int], shared: int) -> torch.Tensor:
    """The additive mask (1, 1, row, shared + row): 0 for the shared part, the ancestors and the token itself."""
    size = len(parents)
    seen = torch.zeros(size, size, dtype=torch.bool)
    for node, parent in enumerate(parents):
        if parent >= 0:
            seen[node] = seen[parent]
        seen[node, node] = True
    seen = torch.cat([torch.ones(size, shared, dtype=torch.bool), seen], dim=1)
    mask = torch.zeros(size, shared + size).masked_fill_(~seen, torch.finfo(torch.float32).min)
    return mask[None, None]


def _logprobs(model: Any, hidden: torch.Tensor, pairs: Sequence[tuple[int, int]]) -> list[float]:
    """Log-probability of each (node, next token), in nats."""
    nodes = sorted({node for node, _ in pairs})
    tokens: dict[int, list[int]] = {}
    for node, token in pairs:
        tokens.setdefault(node, []).append(token)
    values: dict[tuple[int, int], float] = {}
    for start in range(0, len(nodes), _OUTPUT_ROWS):
        chosen = nodes[start : start + _OUTPUT_ROWS]
        logits = model.lm_head(hidden[chosen]).float() / getattr(model.config, "logits_scaling", 1.0)
        total = torch.logsumexp(logits, dim=-1)
        for place, node in enumerate(chosen):
            found = (logits[place, tokens[node]] - total[place]).tolist()
            values.update({(node, token): value for token, value in zip(tokens[node], found, strict=True)})
    return [values[pair] for pair in pairs]


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """Length of the common prefix."""
    length = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        length += 1
    return length
