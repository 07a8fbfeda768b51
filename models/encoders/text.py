"""A pretrained text encoder: texts in, one vector each out. Knows transformers; nothing of learners and tasks."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from models.encoders.encoder import Encoder
from models.encoders.folder import EncoderFiles, Pooling

# Tokens, padding included, of one pass through the encoder: what bounds its memory.
_PASS_TOKENS = 1 << 13

# What is added to the attention of what is not there.
_FORBIDDEN = -1e9


class TextEncoder(Encoder):
    """Reid & Gurevych 2019's sentence encoder: a transformer whose token features are pooled, then of length one.

    It is loaded once and never changes; `tuned` gives another that shares its weights but for some.
    """

    def __init__(self, files: EncoderFiles, device: torch.device) -> None:
        """Raises OSError or ValueError where the folder's files do not fit together."""
        # Imported here: it takes seconds, and a process without encoders needs none of it.
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # type: ignore[no-untyped-call]
        # Never the network, never somebody's Python, never a pickle: the folder was looked at, and is all there is.
        sealed = {"local_files_only": True, "trust_remote_code": False}
        self.width = files.width
        self.tokens = files.tokens
        self._device = device
        self._pooling: Pooling = files.pooling
        self._tokenizer = AutoTokenizer.from_pretrained(str(files.folder), **sealed)
        # Eager attention: the fused kernels choose their mask by looking at it, which vmap cannot follow.
        module = AutoModel.from_pretrained(
            str(files.folder),
            use_safetensors=True,
            attn_implementation="eager",
            dtype=torch.float32,
            **sealed,
        )
        self.module = module.eval().requires_grad_(False).to(device)

    @property
    def multiply_adds(self) -> int:
        """Of one token, its attention to others not counted."""
        layers = (part for part in self.module.modules() if isinstance(part, torch.nn.Linear))
        return sum(layer.weight.numel() for layer in layers)

    def encode(
        self, examples: Sequence[str], before_each_pass: Callable[[int], None] = lambda _done: None
    ) -> Tensor:
        """Features float32 [E, F] on the CPU of texts."""
        ids = self._ids(examples, self.tokens)
        order = sorted(range(len(examples)), key=lambda place: len(ids[place]))
        features = torch.empty(len(examples), self.width)
        done = 0
        while done < len(order):
            before_each_pass(done)
            size = _most(order[done:], ids)
            places = order[done : done + size]
            tokens = _padded([ids[place] for place in places], len(ids[places[-1]])).to(self._device)
            with torch.no_grad():
                features[places] = self.features(tokens, self._weights).cpu()
            done += size
        return features

    def tokens_of(self, texts: Sequence[str], share: float) -> Tensor:
        """Token ids float32 [E, L], -1 behind a text's end: L is enough for `share` of them, others are cut."""
        ids = self._ids(texts, self.tokens)
        lengths = sorted(map(len, ids))
        most = lengths[min(len(lengths) - 1, int(share * len(lengths)))]
        return _padded(self._ids(texts, most), most).float()

    def features(self, examples: Tensor, weights: Mapping[str, Tensor] | None = None) -> Tensor:
        """Features [E, F] of token ids [E, L], -1 behind a text's end."""
        real = examples >= 0
        ids = torch.where(real, examples, 0).long()
        if weights is None:
            states = self.module(input_ids=ids, attention_mask=real.long()).last_hidden_state
        else:
            # Nobody looks at a mask that has every dimension already: vmap could not follow.
            mask_E11L = torch.where(real, 0.0, _FORBIDDEN)[:, None, None, :]
            inputs = {"input_ids": ids, "attention_mask": mask_E11L}
            states = torch.func.functional_call(self.module, dict(weights), (), inputs).last_hidden_state
        return torch.nn.functional.normalize(_pool(states, real, self._pooling), dim=-1)

    def _ids(self, texts: Sequence[str], length: int) -> list[list[int]]:
        # A text of no characters is what the tokenizer wraps around every one: a vector like any other.
        found: list[list[int]] = self._tokenizer(
            list(texts), truncation=True, max_length=length, padding=False, return_attention_mask=False
        )["input_ids"]
        return [ids or [self._tokenizer.unk_token_id or 0] for ids in found]


def _pool(states: Tensor, real: Tensor, pooling: Pooling) -> Tensor:
    """[E, F] from token features [E, L, F]."""
    if pooling == "cls":
        return states[:, 0]
    if pooling == "max":
        return states.masked_fill(~real.unsqueeze(-1), float("-inf")).amax(1)
    weights = real.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(1) / weights.sum(1).clamp(min=1.0)


def _padded(ids: Sequence[Sequence[int]], length: int) -> Tensor:
    tokens = torch.full((len(ids), length), -1)
    for row, one in zip(tokens, ids, strict=True):
        row[: len(one)] = torch.tensor(one)
    return tokens


def _most(order: Sequence[int], ids: Sequence[Sequence[int]]) -> int:
    """How many of the texts next in order fit in one pass, padded to the longest; one at least."""
    size = 0
    for place in order:
        if (size + 1) * len(ids[place]) > _PASS_TOKENS:
            break
        size += 1
    return max(1, size)
