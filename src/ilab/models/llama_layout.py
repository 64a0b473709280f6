"""How a Llama model is laid out in the two formats: tensor names, head order of q and k, configuration fields.

llama.cpp stores the rows of the q and k projections so that the two halves of each rotary pair are neighbours;
transformers keeps them half a head apart. The same numbers, in another order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_GLOBAL = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
_BLOCK = {
    "attn_norm.weight": "input_layernorm.weight",
    "attn_q.weight": "self_attn.q_proj.weight",
    "attn_k.weight": "self_attn.k_proj.weight",
    "attn_v.weight": "self_attn.v_proj.weight",
    "attn_output.weight": "self_attn.o_proj.weight",
    "ffn_norm.weight": "post_attention_layernorm.weight",
    "ffn_gate.weight": "mlp.gate_proj.weight",
    "ffn_up.weight": "mlp.up_proj.weight",
    "ffn_down.weight": "mlp.down_proj.weight",
}
_TO_GLOBAL = {theirs: ours for ours, theirs in _GLOBAL.items()}
_TO_BLOCK = {theirs: ours for ours, theirs in _BLOCK.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class LlamaShape:
    """The numbers that decide a Llama model's tensors and its rotary embedding."""

    layers: int
    hidden: int
    feed_forward: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    context_length: int
    rope_theta: float
    norm_epsilon: float


def to_transformers(name: str) -> str | None:
    """The transformers name of a GGUF tensor, or None when it has none."""
    if name in _GLOBAL:
        return _GLOBAL[name]
    match = re.fullmatch(r"blk\.(\d+)\.(.+)", name)
    if match and match[2] in _BLOCK:
        return f"model.layers.{match[1]}.{_BLOCK[match[2]]}"
    return None


def to_gguf(name: str) -> str | None:
    """The GGUF name of a transformers tensor, or None when it has none."""
    if name in _TO_GLOBAL:
        return _TO_GLOBAL[name]
    match = re.fullmatch(r"model\.layers\.(\d+)\.(.+)", name)
    if match and match[2] in _TO_BLOCK:
        return f"blk.{match[1]}.{_TO_BLOCK[match[2]]}"
    return None


def shape_of(name: str, shape: LlamaShape) -> tuple[int, ...]:
    """The shape that the tensor with this GGUF name must have."""
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    part = name.split(".", 2)[2] if name.startswith("blk.") else name
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (shape.vocabulary, shape.hidden),
        "output.weight": (shape.vocabulary, shape.hidden),
        "output_norm.weight": (shape.hidden,),
        "attn_norm.weight": (shape.hidden,),
        "ffn_norm.weight": (shape.hidden,),
        "attn_q.weight": (queries, shape.hidden),
        "attn_k.weight": (keys, shape.hidden),
        "attn_v.weight": (keys, shape.hidden),
        "attn_output.weight": (shape.hidden, queries),
        "ffn_gate.weight": (shape.feed_forward, shape.hidden),
        "ffn_up.weight": (shape.feed_forward, shape.hidden),
        "ffn_down.weight": (shape.hidden, shape.feed_forward),
    }
    return shapes[part]


def needed(shape: LlamaShape, *, tied: bool) -> list[str]:
    """The GGUF names of every tensor of the model, in file order."""
    blocks = [f"blk.{layer}.{part}" for layer in range(shape.layers) for part in _BLOCK]
    return ["token_embd.weight", *blocks, "output_norm.weight", *([] if tied else ["output.weight"])]


def reorder_for_transformers(name: str, values: NDArray[np.float32], shape: LlamaShape) -> NDArray[np.float32]:
    """Bring the rows of a q or k projection (GGUF `name`) into transformers' order; others are returned as they are."""
    heads = _rotary_heads(name, shape)
    if not heads:
        return values
    return values.reshape(heads, -1, 2, values.shape[1]).swapaxes(1, 2).reshape(values.shape)


def reorder_for_gguf(name: str, values: NDArray[np.float32], shape: LlamaShape) -> NDArray[np.float32]:
    """The inverse of `reorder_for_transformers`."""
    heads = _rotary_heads(name, shape)
    if not heads:
        return values
    return values.reshape(heads, 2, -1, values.shape[1]).swapaxes(1, 2).reshape(values.shape)


def _rotary_heads(name: str, shape: LlamaShape) -> int:
    if name.endswith("attn_q.weight"):
        return shape.heads
    return shape.kv_heads if name.endswith("attn_k.weight") else 0


def config_json(shape: LlamaShape, *, tied: bool, half: bool, tokens: dict[str, int]) -> dict[str, Any]:
    """The config.json of the model; `tokens` holds bos, eos and pad ids as far as they are known.

    `rope_theta` is written twice: at the top for transformers 4 and vLLM, in `rope_parameters` for transformers 5.
    """
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "dtype": "float16" if half else "float32",
        "head_dim": shape.head_dim,
        "hidden_act": "silu",
        "hidden_size": shape.hidden,
        "initializer_range": 0.02,
        "intermediate_size": shape.feed_forward,
        "max_position_embeddings": shape.context_length,
        "mlp_bias": False,
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "num_key_value_heads": shape.kv_heads,
        "rms_norm_eps": shape.norm_epsilon,
        "rope_parameters": {"rope_theta": shape.rope_theta, "rope_type": "default"},
        "rope_theta": shape.rope_theta,
        "tie_word_embeddings": tied,
        "use_cache": True,
        "vocab_size": shape.vocabulary,
        **tokens,
    }
