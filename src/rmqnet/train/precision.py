"""Which arithmetic the processor is fast in."""

from typing import Literal

import torch

from rmqnet.train.config import Precision

LightningPrecision = Literal["bf16-mixed", "32-true"]


def lightning_precision(precision: Precision) -> LightningPrecision:
    """Lightning's name of the precision; "auto" is bfloat16 where this machine computes in it directly."""
    if precision == "bfloat16" or (precision == "auto" and _has_fast_bfloat16()):
        return "bf16-mixed"
    return "32-true"


def _has_fast_bfloat16() -> bool:
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # PyTorch before 2.12 may not tell what the processor can do
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
