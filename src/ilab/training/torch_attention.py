"""Attention for packed rows: several samples stand side by side in one row, and none sees another.

transformers calls `ilab_segments` in place of its own attention. The bounds of the samples come in as the keyword
`segments`, a list of (how many, how long) in the order of the row; equal lengths are computed in one call. No mask is
ever built, so memory grows with the row and not with its square.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional

from ilab.errors import TrainingError

NAME = "ilab_segments"
Segments = Sequence[tuple[int, int]]
"""(count, length) of neighbouring samples of equal length."""
_UNKNOWN = ("softcap", "s_aux", "position_bias")
"""What some architectures hand to their attention and we do not compute."""
_TOLERANCE = 1e-3


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
    segments: Segments | None = None,
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
    segments = segments or [(1, tokens)]
    longest = max(length for _, length in segments)
    if any(others.get(name) is not None for name in _UNKNOWN) or (sliding_window and sliding_window < longest):
        raise TrainingError("this architecture needs a kind of attention that packed training does not have")
    sizes = [count * length for count, length in segments]
    rows = [tensor[0].transpose(0, 1).split(sizes) for tensor in (query, key, value)]
    results = []
    for (count, length), *parts in zip(segments, *rows, strict=True):
        q, k, v = (part.unflatten(0, (count, length)).transpose(1, 2) for part in parts)
        result = functional.scaled_dot_product_attention(
            q, k, v, is_causal=True, scale=scaling, dropout_p=dropout, enable_gqa=True
        )
        results.append(result.transpose(1, 2).flatten(0, 1))
    return torch.cat(results)[None], None


def check(model: Any) -> None:
    """Raise `TrainingError` unless packed samples are independent, and equal to what `model` computes for each alone.

    Three short samples, two of them of equal length, go through the network packed, once with the first one changed,
    and one by one with the attention that comes with the model.
    """
    size = min(model.config.get_text_config().vocab_size, 251)
    lengths = (7, 7, 5)
    samples = [
        [(place * 31 + number * 17 + 3) % size for place in range(length)] for number, length in enumerate(lengths)
    ]
    changed = [[(token + 1) % size for token in samples[0]], *samples[1:]]
    with torch.no_grad():
        packed = _hidden(model, samples)
        other = _hidden(model, changed)
        model.set_attn_implementation("sdpa")
        try:
            alone = torch.cat([_hidden(model, [sample]) for sample in samples])
        finally:
            model.set_attn_implementation(NAME)
    limit = _TOLERANCE * packed.abs().max().item()
    if (packed - other)[lengths[0] :].abs().max().item() > limit:
        raise TrainingError("packed samples see each other in this architecture, so it cannot be trained here")
    if not (packed - alone).abs().max().item() <= limit:
        raise TrainingError("packed samples give other results than single ones in this architecture")


def _hidden(model: Any, samples: Sequence[Sequence[int]]) -> torch.Tensor:
    """Last hidden states (tokens, size) of `samples`, whose lengths do not grow, packed into one row."""
    ids = [token for sample in samples for token in sample]
    positions = [place for sample in samples for place in range(len(sample))]
    output: torch.Tensor = model.base_model(
        input_ids=torch.tensor([ids], device=model.device),
        position_ids=torch.tensor([positions], device=model.device),
        use_cache=False,
        segments=group([len(sample) for sample in samples]),
    ).last_hidden_state[0]
    return output.float()


def group(lengths: Sequence[int]) -> list[tuple[int, int]]:
    """Neighbours of equal length, counted."""
    found: list[tuple[int, int]] = []
    for length in lengths:
        if found and found[-1][1] == length:
            found[-1] = (found[-1][0] + 1, length)
        else:
            found.append((1, length))
    return found
