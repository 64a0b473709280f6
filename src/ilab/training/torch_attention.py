"""Attention for packed rows: several samples stand side by side in one row, and none sees another.

transformers calls `ilab_segments` in place of its own attention. The bounds of the samples come in as the keyword
`segments`, in the order of the row; equal ones are computed in one call. Samples that begin with the same tokens have
them once: a segment may name an earlier stretch of the row that it sees whole. No mask of the row is ever built, so
memory grows with the row and not with its square.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.nn import functional

from ilab.errors import TrainingError

NAME = "ilab_segments"
_UNKNOWN = ("softcap", "s_aux", "position_bias")
"""What some architectures hand to their attention and we do not compute."""
_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Segment:
    """`samples` neighbours of `length` tokens each; all see the `prefix` tokens of the row from `start` on as well."""

    samples: int
    length: int
    start: int = 0
    prefix: int = 0


def install(model: Any) -> None:
    """Make `model` use packed attention. Raises `TrainingError` when its architecture brings a fixed one."""
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    if not getattr(model, "_supports_attention_backend", False):
        raise TrainingError(f"models of the type {model.config.model_type} cannot be trained in packed rows")
    ALL_ATTENTION_FUNCTIONS.register(NAME, attend)
    ALL_MASK_ATTENTION_FUNCTIONS.register(NAME, _no_mask)
    model.set_attn_implementation(NAME)


def _no_mask(*_: Any, **__: Any) -> None:
    return None


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    segments: Sequence[Segment] | None = None,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention inside each segment.

    `query`, `key` and `value` are (1, heads, tokens, size); the result is (1, tokens, heads, size). Without `segments`
    the row is one sample.
    """
    tokens = query.shape[2]
    segments = segments or [Segment(1, tokens)]
    longest = max(segment.prefix + segment.length for segment in segments)
    if any(others.get(name) is not None for name in _UNKNOWN) or (sliding_window and sliding_window < longest):
        raise TrainingError("this architecture needs a kind of attention that packed training does not have")
    sizes = [segment.samples * segment.length for segment in segments]
    rows = [tensor[0].transpose(0, 1).split(sizes) for tensor in (query, key, value)]
    results = []
    for segment, *parts in zip(segments, *rows, strict=True):
        q, k, v = (part.unflatten(0, (segment.samples, segment.length)).transpose(1, 2) for part in parts)
        mask = None
        if segment.prefix:
            k, v = (_after(whole, part, segment) for whole, part in ((key, k), (value, v)))
            mask = _below(segment, q.device)
        result = functional.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, is_causal=mask is None, scale=scaling, dropout_p=dropout, enable_gqa=True
        )
        results.append(result.transpose(1, 2).flatten(0, 1))
    return torch.cat(results)[None], None


def _after(whole: torch.Tensor, part: torch.Tensor, segment: Segment) -> torch.Tensor:
    """The common tokens of a segment before its own: (samples, heads, prefix + length, size)."""
    common = whole[:, :, segment.start : segment.start + segment.prefix].expand(segment.samples, -1, -1, -1)
    return torch.cat([common, part], dim=2)


def _below(segment: Segment, device: torch.device) -> torch.Tensor:
    """What each own token sees: all common tokens, and its own up to itself."""
    whole = torch.ones(segment.length, segment.prefix + segment.length, dtype=torch.bool, device=device)
    return whole.tril_(segment.prefix)


def check(model: Any) -> None:
    """Raise `TrainingError` unless packed samples are independent, and equal to what `model` computes for each alone.

    Three short samples, two of them of equal length, go through the network packed, once with the first one changed,
    and one by one with the attention that comes with the model. The first one also goes through it as the common
    beginning of two longer ones.
    """
    size = min(model.config.get_text_config().vocab_size, 251)
    lengths = (7, 7, 5)
    samples = [
        [(place * 31 + number * 17 + 3) % size for place in range(length)] for number, length in enumerate(lengths)
    ]
    changed = [[(token + 1) % size for token in samples[0]], *samples[1:]]
    head, *ends = samples
    with torch.no_grad():
        packed = _hidden(model, samples)
        other = _hidden(model, changed)
        shared = _with_common_start(model, head, ends)
        model.set_attn_implementation("sdpa")
        try:
            alone = torch.cat([_hidden(model, [sample]) for sample in samples])
            apart = torch.cat([_hidden(model, [[*head, *end]])[len(head) :] for end in ends])
        finally:
            model.set_attn_implementation(NAME)
    limit = _TOLERANCE * packed.abs().max().item()
    if (packed - other)[lengths[0] :].abs().max().item() > limit:
        raise TrainingError("packed samples see each other in this architecture, so it cannot be trained here")
    if not max((packed - alone).abs().max().item(), (shared - apart).abs().max().item()) <= limit:
        raise TrainingError("packed samples give other results than single ones in this architecture")


def _with_common_start(model: Any, head: Sequence[int], ends: Sequence[Sequence[int]]) -> torch.Tensor:
    """Last hidden states of `ends`, each of which follows on `head`, which stands in the row once."""
    ids = [*head, *(token for end in ends for token in end)]
    positions = [*range(len(head)), *(len(head) + place for end in ends for place in range(len(end)))]
    segments = [Segment(1, len(head)), *(Segment(1, len(end), 0, len(head)) for end in ends)]
    return _states(model, ids, positions, segments)[len(head) :]


def _hidden(model: Any, samples: Sequence[Sequence[int]]) -> torch.Tensor:
    """Last hidden states (tokens, size) of `samples`, whose lengths do not grow, packed into one row."""
    lengths = [len(sample) for sample in samples]
    ids = [token for sample in samples for token in sample]
    return _states(
        model, ids, [place for length in lengths for place in range(length)], [Segment(1, n) for n in lengths]
    )


def _states(model: Any, ids: Sequence[int], positions: Sequence[int], segments: Sequence[Segment]) -> torch.Tensor:
    """Last hidden states (tokens, size) of one packed row."""
    output: torch.Tensor = model.base_model(
        input_ids=torch.tensor([ids], device=model.device),
        position_ids=torch.tensor([positions], device=model.device),
        use_cache=False,
        segments=group(segments),
    ).last_hidden_state[0]
    return output.float()


def group(segments: Sequence[Segment]) -> list[Segment]:
    """Neighbours that are alike, counted."""
    found: list[Segment] = []
    for segment in segments:
        if found and replace(found[-1], samples=segment.samples) == segment:
            found[-1] = replace(segment, samples=found[-1].samples + segment.samples)
        else:
            found.append(segment)
    return found
