"""What a row's token is made of: what heads say of it, and how near labelled rows are. Knows no parameters.

Written for any leading dimensions. E rows, S labelled rows, G heads, N channels: class slots, or the one number.
"""

import torch
from torch import Tensor

OF_HEAD = 6
"""The numbers that every head has of a row."""

GAIN = 4.0
"""About how much ridge regression's scores of classes are to be multiplied by to be logits."""

# Of a number, in deviations; beyond, it counts as this.
_MOST = 5.0


def row_numbers(
    guesses: Tensor, alike: Tensor, class_mask: Tensor | None, mask: Tensor, known: Tensor | None = None
) -> Tensor:
    """Numbers [..., E, OF_HEAD G + 1] of every row, the last one 1 where targets are `known` [..., E, N].

    `guesses` [..., G, E, N] of the heads, those of known rows made without them; `alike` [..., G, E, S], of a known
    row to itself nothing; `class_mask` [..., N], None for regression; `mask` [..., S] is 1 for a real labelled row.
    """
    if class_mask is not None:
        said = torch.softmax((GAIN * guesses).masked_fill(class_mask[..., None, None, :] == 0, -1e9), dim=-1)
        together = said.mean(-3, keepdim=True)
        spoken = [said.amax(-1), said.square().sum(-1), (said * together).sum(-1)]
    else:
        apart = (guesses - guesses.mean(-3, keepdim=True)).squeeze(-1)
        said = guesses
        spoken = [
            guesses.squeeze(-1).clamp(-_MOST, _MOST),
            apart.clamp(-_MOST, _MOST),
            apart.abs().clamp(max=_MOST),
        ]
    alike = alike * mask[..., None, None, :]
    near = [alike.amax(-1), alike.sum(-1) / mask.sum(-1).clamp(min=1.0)[..., None, None]]
    if known is None:
        off = torch.zeros_like(spoken[0])
    elif class_mask is not None:
        off = (said * known.unsqueeze(-3)).sum(-1)
    else:
        off = (known.unsqueeze(-3) - guesses).squeeze(-1).clamp(-_MOST, _MOST)
    parts = torch.cat([*spoken, *near, off], dim=-2).transpose(-1, -2)
    flag = torch.full_like(parts[..., :1], 0.0 if known is None else 1.0)
    return torch.cat([parts, flag], dim=-1)
