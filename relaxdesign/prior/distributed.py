"""Training in several processes under torchrun, each with a share of every batch.

``torchrun --nproc-per-node 4 -m relaxdesign.cli train …`` uses four GPUs, or four CPU processes where there is none.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class Group:
    """This process among those that train together; alone if it was not started by torchrun."""

    rank: int
    size: int
    device: torch.device

    @property
    def main(self) -> bool:
        """Whether this process validates and writes."""
        return self.rank == 0

    def share(self, batch: int, accumulation: int = 1) -> int:
        """Cells in each of the ``accumulation`` parts that this process computes of a batch.

        Raises ValueError if the batch cannot be shared out evenly.
        """
        parts = self.size * accumulation
        if batch % parts:
            raise ValueError(
                f"a batch of {batch} cells cannot be shared out evenly to {self.size} process(es) "
                f"in {accumulation} part(s) each: choose a multiple of {parts}"
            )
        return batch // parts

    def wrap(self, network: nn.Module) -> nn.Module:
        """The network with its gradients averaged over the processes."""
        return network if self.size == 1 else DistributedDataParallel(network)


def join(device: str) -> Group:
    """The group that torchrun's environment describes; device: auto, cpu, cuda, …"""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return Group(0, 1, torch.device(device))
    if device == "cuda":
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    return Group(distributed.get_rank(), size, torch.device(device))
