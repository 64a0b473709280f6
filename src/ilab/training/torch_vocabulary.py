"""The two ends of the network where the whole vocabulary counts: input embeddings, and output layer with the loss.

Both add the gradient of their weights in place, without a second matrix of that size. Logits exist for a few hundred
positions at a time, and only where a label is; their gradients are worked out on the way forward, since the loss of a
training is always followed by its backward pass.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from ilab.training.budget import HEAD_ROWS


class _Lookup(torch.autograd.Function):  # type: ignore[misc]
    """Rows of the embedding matrix."""

    @staticmethod
    def forward(ctx: Any, weight: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """Embeddings (1, tokens, size) of `ids` (1, tokens)."""
        ctx.weight = weight
        ctx.save_for_backward(ids)
        return functional.embedding(ids, weight)

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[None, None]:
        """Add to the rows that were looked up."""
        if ctx.weight.grad is None:
            ctx.weight.grad = torch.zeros_like(ctx.weight)
        ctx.weight.grad.index_add_(0, ctx.saved_tensors[0][0], upstream[0].to(ctx.weight.dtype))
        return None, None


class _SlicedLoss(torch.autograd.Function):  # type: ignore[misc]
    """Output layer and loss; adds to `weight.grad` while it goes forward."""

    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor, learns: bool
    ) -> torch.Tensor:
        """Weighted sum of the token losses for `hidden` (labels, size), `targets` and `weights` (labels).

        Without `learns` nobody wants gradients: autograd does not tell that by itself here.
        """
        gradient = torch.empty_like(hidden) if learns else hidden
        total = torch.zeros((), dtype=torch.float64, device=hidden.device)
        for start in range(0, len(targets), HEAD_ROWS):
            part = hidden[start : start + HEAD_ROWS]
            target = targets[start : start + HEAD_ROWS, None]
            scale = weights[start : start + HEAD_ROWS, None]
            logits = part @ weight.t()
            highest = logits.amax(-1, keepdim=True)
            right = logits.gather(-1, target)
            logits.sub_(highest).exp_()
            whole = logits.sum(-1, keepdim=True)
            total += ((whole.log() + highest - right).double() * scale).sum()
            if not learns:
                continue
            # From here on `logits` holds their gradient: scale x (softmax - one at the target).
            logits.mul_(scale / whole).scatter_add_(-1, target, -scale)
            torch.mm(logits, weight, out=gradient[start : start + HEAD_ROWS])
            if not ctx.needs_input_grad[1]:
                continue
            if weight.grad is None:
                weight.grad = logits.t() @ part
            else:
                weight.grad.addmm_(logits.t(), part)
        ctx.save_for_backward(gradient)
        return total.to(hidden.dtype)

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor, None, None, None, None]:
        """`upstream` is 1: nothing follows the loss."""
        return ctx.saved_tensors[0], None, None, None, None


def embed(model: Any, ids: torch.Tensor) -> dict[str, torch.Tensor]:
    """The argument of `model` that stands for the tokens `ids` (1, tokens).

    A padding token is an ordinary token here: packed rows have no padding, and in many models it is the end token,
    whose embedding would never be trained.
    """
    layer = model.get_input_embeddings()
    if type(layer) is torch.nn.Embedding and layer.weight.requires_grad:
        return {"inputs_embeds": _Lookup.apply(layer.weight, ids)}
    layer.padding_idx = None
    return {"input_ids": ids}


def loss(
    model: Any, inputs: dict[str, Any], *, index: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """Sum of the losses of `targets` (labels) at the positions `index` of one packed row, each times its weight.

    Where gradients are on, the backward pass must follow, exactly once and from this value.
    """
    if _is_plain(model):
        hidden = model.base_model(**inputs).last_hidden_state[0].index_select(0, index)
        weight = model.get_output_embeddings().weight
        with torch.autocast(hidden.device.type, enabled=False):
            value: torch.Tensor = _SlicedLoss.apply(
                hidden.to(weight.dtype), weight, targets, weights.to(weight.dtype), torch.is_grad_enabled()
            )
        return value
    logits = model(**inputs, logits_to_keep=index).logits[0]
    losses = functional.cross_entropy(logits.float(), targets, reduction="none")
    return (losses * weights).sum()


def _is_plain(model: Any) -> bool:
    """Whether the output layer of `model` is a matrix and nothing else."""
    head = model.get_output_embeddings()
    config = model.config.get_text_config()
    scaled = getattr(config, "logits_scaling", 1.0) != 1.0 or getattr(config, "logit_scale", None) is not None
    capped = getattr(config, "final_logit_softcapping", None) is not None
    return isinstance(head, torch.nn.Linear) and head.bias is None and not scaled and not capped
