"""Training state on disk: network, EMA, optimiser and progress in one safetensors file."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn, optim

from relaxdesign.files import write_whole
from relaxdesign.prior.model import PriorError


def save_state(
    directory: Path,
    name: str,
    settings: dict,
    network: nn.Module,
    ema: nn.Module,
    optimizer: optim.Optimizer,
    state: dict,
) -> None:
    """Writes everything a continuation needs. settings: what it must share. state: progress so far."""
    path = _state_path(directory, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {f"network.{key}": value for key, value in network.state_dict().items()}
    tensors |= {f"ema.{key}": value for key, value in ema.state_dict().items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"adam.{index}.{key}": value for key, value in moments.items()}
    copies = {key: value.detach().clone().contiguous() for key, value in tensors.items()}
    write_whole(path, save(copies, metadata={"state": json.dumps({"settings": settings} | state)}))


def load_state(
    directory: Path, name: str, settings: dict, network: nn.Module, ema: nn.Module, optimizer: optim.Optimizer
) -> dict:
    """Restores what ``save_state`` wrote and returns its ``state``.

    Raises PriorError when there is nothing to resume or the settings differ.
    """
    path = _state_path(directory, name)
    if not path.exists():
        raise PriorError(f"nothing to resume: no checkpoint {path.name} in {path.parent}")
    with safe_open(path, "pt") as file:
        state = json.loads(file.metadata()["state"])
    was, now = state.pop("settings"), json.loads(json.dumps(settings))
    different = [key for key in now if was.get(key) != now[key]]
    if different:
        raise PriorError(
            f"the checkpoint was made with other settings ({', '.join(different)}); restore them or start anew"
        )
    tensors = load_file(path)
    network.load_state_dict(_part(tensors, "network."))
    ema.load_state_dict(_part(tensors, "ema."))
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in _part(tensors, "adam.").items():
        index, field = key.split(".", 1)
        moments.setdefault(int(index), {})[field] = value
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    return state


def _state_path(directory: Path, name: str) -> Path:
    return directory / "resume" / f"{name}.safetensors"


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
