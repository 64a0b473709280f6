"""Output layer and loss in slices: logits exist for a few hundred positions at a time, and only where a label is.

The gradients are worked out on the way forward, since the loss of a training is always followed by its backward pass.
The gradient of the output weights is added in place, without a second matrix of their size.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from ilab.training.budget import HEAD_ROWS


class _SlicedLoss(torch.autograd.Function):  # type: ignore[misc]
    """`loss(hidden)`; adds to `weight.grad` while it goes forward."""

    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, scale: float
    ) -> torch.Tensor:
        """Scaled sum of the token losses for `hidden` (labels, size), `targets` (labels)."""
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)
        gradient = torch.empty_like(hidden)
        total = torch.zeros((), dtype=torch.float64, device=hidden.device)
        for start in range(0, len(targets), HEAD_ROWS):
            part = hidden[start : start + HEAD_ROWS]
            target = targets[start : start + HEAD_ROWS, None]
            logits = part @ weight.t()
            highest = logits.amax(-1, keepdim=True)
            right = logits.gather(-1, target)
            logits.sub_(highest).exp_()
            whole = logits.sum(-1, keepdim=True)
            total += (whole.log() + highest - right).sum(dtype=torch.float64)
            # From here on `logits` holds their gradient: scale x (softmax - one at the target).
            logits.mul_(scale / whole).scatter_add_(-1, target, logits.new_full(target.shape, -scale))
            torch.mm(logits, weight, out=gradient[start : start + HEAD_ROWS])
            weight.grad.addmm_(logits.t(), part)
        ctx.save_for_backward(gradient)
        return (total * scale).to(hidden.dtype)

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        """`upstream` is 1: nothing follows the loss."""
        return ctx.saved_tensors[0], None, None, None


def is_plain(model: Any) -> bool:
    """Whether the output layer of `model` is a matrix and nothing else."""
    head = model.get_output_embeddings()
    config = model.config.get_text_config()
    scaled = getattr(config, "logits_scaling", 1.0) != 1.0 or getattr(config, "logit_scale", None) is not None
    capped = getattr(config, "final_logit_softcapping", None) is not None
    return isinstance(head, torch.nn.Linear) and head.bias is None and not scaled and not capped


def loss(
    model: Any, inputs: dict[str, Any], *, index: torch.Tensor, targets: torch.Tensor, scale: float
) -> torch.Tensor:
    """Scaled sum of the losses of `targets` at the positions `index` of one packed row.

    The backward pass must follow, exactly once and from this value.
    """
    if is_plain(model):
        hidden = model.base_model(**inputs).last_hidden_state[0].index_select(0, index)
        head = model.get_output_embeddings()
        with torch.autocast(hidden.device.type, enabled=False):
            value: torch.Tensor = _SlicedLoss.apply(hidden.to(head.weight.dtype), head.weight, targets, scale)
        return value
    logits = model(**inputs, logits_to_keep=index).logits[0]
    return functional.cross_entropy(logits.float(), targets, reduction="sum") * scale
