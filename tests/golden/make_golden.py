"""Writes the golden tensors that the WebGPU supernet is tested against.

    /usr/bin/python3 tests/golden/make_golden.py           # check, then write beside this file
    /usr/bin/python3 tests/golden/make_golden.py --full DIR  # every gradient whole, to debug

Everything is computed in f64 and stored as f32. The same run in f32 must agree, so that a
correct f32 implementation can; the deviation is printed and refused when it is too large.

A file holds no inputs: parameters, images and labels follow from their names (see
supernet.uniform). What it holds:

- supernet_<norm>.safetensors: `logits`, `loss` [1] (mean cross-entropy), `logits_eval`
  (running statistics after that one training forward), `grad.<parameter>` for every weight
  and for the alphas.
- supernet_pcdarts.safetensors: the same with the options of PC-DARTS.
- search_rms.safetensors: `val_loss` and `train_loss` [10], `param.<parameter>` after ten
  steps of the first-order search.
- search_order2.safetensors: three steps of the second-order search: the losses, and for
  step t `ahead<t>.<kind>`, the gradient of the alphas at w', and `term<t>.<kind>`, what
  the second order adds to it (the difference quotient times -xi).

To keep the files small, a tensor of more than WHOLE elements is stored as one number per
row, so its shape is [rows] instead of the parameter's:
    p[r] = sum_c x[r, c] * (2 u[r * columns + c] - 1),  u = uniform("project." + parameter)
where columns is the product of the dimensions after the first. Every element counts.
"""

import argparse
import json
import os
import struct
from dataclasses import asdict
from typing import Dict, List, Tuple

import numpy as np
import torch
import torch.nn.functional as F

import supernet
from supernet import BatchNorms, Config, Tensors

WHOLE = 200
STEPS = 10
SECOND_ORDER_STEPS = 3
SECOND_ORDER_RATE = 0.2

CASES = [
    Config(norm="none", in_channels=2, height=8, width=8),
    Config(norm="batch", in_channels=3, height=8, width=8),
    Config(norm="sample", in_channels=2, height=9, width=9),
    Config(norm="rms", in_channels=3, height=9, width=9),
]
# With 9x9 pixels a value lies so near to a kink that kernels without subgroups put it on the other side.
PC_DARTS = Config(
    norm="rms",
    channels=8,
    in_channels=2,
    height=10,
    width=10,
    edge_weights=True,
    partial_channels=4,
)
SEARCH = Config(norm="rms", in_channels=3, height=8, width=8)
# With 8x8 or 7x7 pixels a value lies so near to a kink of ReLU or max pooling that its side depends on rounding.
SECOND_ORDER = Config(norm="rms", in_channels=2, height=9, width=9)


def write_safetensors(path: str, tensors: Dict[str, np.ndarray], metadata: Dict[str, str]) -> None:
    """Writes f32 tensors: header length (u64), JSON header padded to 8 bytes, data."""
    header: Dict[str, object] = {"__metadata__": metadata}
    chunks: List[bytes] = []
    offset = 0
    for name in sorted(tensors):
        chunk = np.ascontiguousarray(tensors[name], dtype="<f4").tobytes()
        end = offset + len(chunk)
        shape = list(tensors[name].shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, end]}
        chunks.append(chunk)
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)))
        file.write(text)
        file.writelines(chunks)


def project_rows(name: str, values: np.ndarray) -> np.ndarray:
    """One number per row of `values`: its product with repeatable signs and sizes."""
    draws = 2.0 * supernet.uniform("project." + name, values.size) - 1.0
    rows = values.shape[0]
    return (values.reshape(rows, -1) * draws.reshape(rows, -1)).sum(1)


def metadata_of(config: Config) -> Dict[str, str]:
    """The configuration; of the options of PC-DARTS those that are in force."""
    renamed = {
        "in_channels": "inputChannels",
        "edge_weights": "edgeWeights",
        "partial_channels": "partialChannels",
    }
    plain = asdict(Config())
    return {
        renamed.get(key, key): str(value)
        for key, value in asdict(config).items()
        if key not in ("edge_weights", "partial_channels") or value != plain[key]
    }


def loss_of(
    config: Config,
    parameters: Tensors,
    batch: Tuple[torch.Tensor, torch.Tensor],
    norms: BatchNorms,
) -> Tuple[torch.Tensor, torch.Tensor]:
    """Logits and mean cross-entropy."""
    images, labels = batch
    logits = supernet.forward(config, parameters, images, norms)
    return logits, F.cross_entropy(logits, labels)


def one_step(config: Config, dtype: torch.dtype) -> Tensors:
    """Logits, loss, all gradients, and the logits with running statistics."""
    parameters = supernet.make_parameters(config, dtype)
    batch = (supernet.make_images(config, dtype), supernet.make_labels(config))
    norms = BatchNorms()
    logits, loss = loss_of(config, parameters, batch, norms)
    gradients = torch.autograd.grad(loss, list(parameters.values()))
    norms.training = False
    with torch.no_grad():
        logits_eval = supernet.forward(config, parameters, batch[0], norms)
    results = {"logits": logits, "loss": loss.view(1), "logits_eval": logits_eval}
    results.update((f"grad.{n}", g) for n, g in zip(parameters, gradients))
    return {name: value.detach() for name, value in results.items()}


def search(config: Config, dtype: torch.dtype) -> Tensors:
    """Losses and final parameters of a short first-order search."""
    parameters = supernet.make_parameters(config, dtype)
    weights = [v for n, v in parameters.items() if not n.startswith("alphas.")]
    alphas = [v for n, v in parameters.items() if n.startswith("alphas.")]
    weight_optimiser = torch.optim.SGD(weights, lr=0.025, momentum=0.9, weight_decay=3e-4)
    alpha_optimiser = torch.optim.Adam(
        alphas, lr=3e-3, betas=(0.5, 0.999), eps=1e-8, weight_decay=1e-3
    )
    norms = BatchNorms()
    losses: Dict[str, List[torch.Tensor]] = {"val": [], "train": []}
    clipped = 0
    for t in range(STEPS):
        for split, leaves, optimiser in (
            ("val", alphas, alpha_optimiser),
            ("train", weights, weight_optimiser),
        ):
            name = f"{split}{t}"
            images = supernet.make_images(config, dtype, name)
            labels = supernet.make_labels(config, f"{name}.labels")
            _, loss = loss_of(config, parameters, (images, labels), norms)
            for leaf, gradient in zip(leaves, torch.autograd.grad(loss, leaves)):
                leaf.grad = gradient
            if split == "train":
                norm = torch.nn.utils.clip_grad_norm_(leaves, 5.0)
                clipped += int(norm > 5.0)
            optimiser.step()
            losses[split].append(loss.detach())
    if dtype == torch.float64:
        print(f"  gradient clipped in {clipped} of {STEPS} steps")
    results = {f"{split}_loss": torch.stack(values) for split, values in losses.items()}
    results.update((f"param.{n}", v.detach()) for n, v in parameters.items())
    return results


def second_order(config: Config, dtype: torch.dtype) -> Tensors:
    """Losses and architecture gradients of a short second-order search (DARTS)."""
    parameters = supernet.make_parameters(config, dtype)
    weights = {n: v for n, v in parameters.items() if not n.startswith("alphas.")}
    alphas = {n: v for n, v in parameters.items() if n.startswith("alphas.")}
    rate, momentum, decay = SECOND_ORDER_RATE, 0.9, 3e-4
    weight_optimiser = torch.optim.SGD(
        list(weights.values()), lr=rate, momentum=momentum, weight_decay=decay
    )
    alpha_optimiser = torch.optim.Adam(
        list(alphas.values()), lr=3e-3, betas=(0.5, 0.999), eps=1e-8, weight_decay=1e-3
    )
    results: Tensors = {}
    losses: Dict[str, List[torch.Tensor]] = {"val": [], "train": []}
    for t in range(SECOND_ORDER_STEPS):
        batches = {}
        for split in losses:
            images = supernet.make_images(config, dtype, f"{split}{t}")
            batches[split] = (images, supernet.make_labels(config, f"{split}{t}.labels"))

        def differentiate(split: str, values: Tensors, wrt: List[torch.Tensor]):
            used = {**values, **alphas}
            _, loss = loss_of(config, used, batches[split], BatchNorms())
            return loss.detach(), torch.autograd.grad(loss, wrt)

        kinds, leaves = list(alphas), list(alphas.values())
        _, slopes = differentiate("train", weights, list(weights.values()))
        unrolled = {}
        for (name, w), slope in zip(weights.items(), slopes):
            state = weight_optimiser.state[w].get("momentum_buffer", torch.zeros_like(w))
            step = momentum * state + slope + decay * w
            unrolled[name] = (w - rate * step).detach().requires_grad_()
        loss, both = differentiate("val", unrolled, list(unrolled.values()) + leaves)
        direction, ahead = both[: len(unrolled)], both[len(unrolled) :]
        eps = 0.01 / torch.sqrt(sum(v.square().sum() for v in direction))
        sides = []
        for sign in (1, -1):
            moved = {
                n: (w + sign * eps * v).detach() for (n, w), v in zip(weights.items(), direction)
            }
            sides.append(differentiate("train", moved, leaves)[1])
        for kind, leaf, first, plus, minus in zip(kinds, leaves, ahead, *sides):
            term = -rate * (plus - minus) / (2 * eps)
            results[f"ahead{t}.{kind[7:]}"], results[f"term{t}.{kind[7:]}"] = first, term
            leaf.grad = first + term
        alpha_optimiser.step()
        losses["val"].append(loss)

        loss, slopes = differentiate("train", weights, list(weights.values()))
        for w, slope in zip(weights.values(), slopes):
            w.grad = slope
        torch.nn.utils.clip_grad_norm_(list(weights.values()), 5.0)
        weight_optimiser.step()
        losses["train"].append(loss)
    results.update((f"{split}_loss", torch.stack(values)) for split, values in losses.items())
    return {name: value.detach() for name, value in results.items()}


def deviation(exact: torch.Tensor, other: torch.Tensor) -> float:
    """Largest absolute difference over the largest absolute value."""
    return float((exact - other.double()).abs().max() / exact.abs().max())


def pack(results: Tensors, whole: int) -> Dict[str, np.ndarray]:
    """Arrays as stored: large gradients and parameters by row."""
    stored = {}
    for name, value in results.items():
        array = value.double().numpy()
        kind, _, parameter = name.partition(".")
        if kind in ("grad", "param") and array.size > whole:
            array = project_rows(parameter, array)
        stored[name] = array
    return stored


def report(results: Tensors, rough: Tensors, limit: float) -> None:
    """Prints how far f32 is from f64, whole and as stored; refuses what no test could meet."""
    stored, rough_stored = pack(results, WHOLE), pack(rough, WHOLE)
    off = {name: deviation(value, rough[name]) for name, value in results.items()}
    for name, value in stored.items():
        by_row = deviation(torch.from_numpy(value), torch.from_numpy(rough_stored[name]))
        off[name] = max(off[name], by_row)
    ranked = sorted(off, key=off.get, reverse=True)
    print("  f32 against f64: " + ", ".join(f"{n} {off[n]:.1e}" for n in ranked[:3]))
    print(f"  median {off[ranked[len(ranked) // 2]]:.1e}")
    for group in ("logits", "loss", "logits_eval", "grad.alphas.normal", "grad.alphas.reduce"):
        if group in off:
            print(f"  {group} {off[group]:.1e}")
    smallest = min(stored, key=lambda n: np.abs(stored[n]).max())
    print(f"  smallest tensor: {smallest}, max abs {np.abs(stored[smallest]).max():.1e}")
    if not off[ranked[0]] <= limit:
        worst = f"{ranked[0]} is off by {off[ranked[0]]:.1e} in f32"
        raise ArithmeticError(f"Cannot ask f32 for more than {limit}: {worst}")


def main() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", metavar="DIR", help="write whole tensors there instead")
    options = parser.parse_args()
    directory, whole = (options.full, 2**62) if options.full else (here, WHOLE)
    torch.set_num_threads(1)

    jobs = [(f"supernet_{c.norm}", c, one_step, 3e-5) for c in CASES]
    jobs.append(("supernet_pcdarts", PC_DARTS, one_step, 3e-5))
    jobs.append(("search_rms", SEARCH, search, 2e-4))
    jobs.append(("search_order2", SECOND_ORDER, second_order, 1e-3))
    total = 0
    for name, config, compute, limit in jobs:
        print(f"{name} {config}")
        results = compute(config, torch.float64)
        report(results, compute(config, torch.float32), limit)
        path = os.path.join(directory, f"{name}.safetensors")
        write_safetensors(path, pack(results, whole), metadata_of(config))
        size = os.path.getsize(path)
        total += size
        print(f"  {size} bytes")
    print(f"total {total} bytes")


if __name__ == "__main__":
    main()
