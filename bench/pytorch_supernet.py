"""The PyTorch peer: a first-order DARTS search step, as fast as stock modules go.

    /usr/bin/python3 bench/pytorch_supernet.py --channels 8 --cells 5 --batch 32 --size 28 \
        --in-channels 3 --classes 10 --steps 5 --norm none --json

One nn module per operation and edge, in the way the public DARTS codes run it, with what
makes PyTorch quick on a CPU (channels_last, OpenBLAS, every core) and without the multiply by
zero that `none` costs there. Nothing is shared between edges. Needs Debian's python3-torch and
libopenblas0-pthread. `--check` compares the modules with tests/golden/supernet.py.

Timed, as medians over the steps after the warm-up, interleaved as in a search:
- weight step: forward, backward, clipping, SGD;
- alpha step: forward, backward, Adam, the weights' gradients computed and thrown away, as
  quark0/darts does;
- frozen alpha step: the same with requires_grad off for the weights.

With `--device cuda` each figure is the mean of `--repeats` steps between two waits for the device, and
`..._graph_ms` are the same steps recorded as a CUDA graph and replayed, which leaves out Python's and the
driver's share of the launches.
"""

import argparse
import json
import os
import resource
import statistics
import sys
import time
from typing import Callable, Dict, Iterator, List, Tuple

import torch
from torch import Tensor, nn
import torch.nn.functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/golden"))
# The path has to be known first.
from pytorch_cuda import recorded  # noqa: E402
import supernet as golden  # noqa: E402
from supernet import EDGES, EPS, NODES, PRIMITIVES, Cell, Config  # noqa: E402
from supernet import plan_cells, targets_of  # noqa: E402


def batch_norm(channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels, affine=False)


def pointwise(c_in: int, c_out: int, stride: int = 1) -> nn.Module:
    return nn.Conv2d(c_in, c_out, 1, stride, bias=False)


def separable(channels: int, k: int, stride: int, dilation: int) -> List[nn.Module]:
    padding = dilation * (k // 2)
    return [
        nn.ReLU(),
        nn.Conv2d(
            channels, channels, k, stride, padding, dilation, groups=channels, bias=False
        ),
        pointwise(channels, channels),
        batch_norm(channels),
    ]


class FactorizedReduce(nn.Module):
    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.even = pointwise(c_in, c_out // 2, 2)
        self.odd = pointwise(c_in, c_out - c_out // 2, 2)
        self.norm = batch_norm(c_out)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(x)
        if x.shape[2] % 2 or x.shape[3] % 2:
            x = F.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2))
        return self.norm(torch.cat([self.even(x), self.odd(x[:, :, 1:, 1:])], 1))


def make_operation(kind: str, channels: int, stride: int) -> nn.Module:
    if kind == "max_pool_3x3":
        return nn.Sequential(nn.MaxPool2d(3, stride, 1), batch_norm(channels))
    if kind == "avg_pool_3x3":
        pool = nn.AvgPool2d(3, stride, 1, count_include_pad=False)
        return nn.Sequential(pool, batch_norm(channels))
    if kind == "skip_connect":
        return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels)
    k = int(kind[-1])
    if kind.startswith("dil"):
        return nn.Sequential(*separable(channels, k, stride, 2))
    return nn.Sequential(*separable(channels, k, stride, 1), *separable(channels, k, 1, 1))


class NodeNorm(nn.Module):
    def __init__(self, kind: str, channels: int) -> None:
        super().__init__()
        self.kind = kind
        self.norm = batch_norm(channels) if kind == "batch" else None

    def forward(self, s: Tensor) -> Tensor:
        if self.norm is not None:
            return self.norm(s)
        if self.kind == "none":
            return s
        if self.kind == "sample":
            s = s - s.mean((1, 2, 3), keepdim=True)
        return s * torch.rsqrt(s.square().mean((1, 2, 3), keepdim=True) + EPS)


class SearchCell(nn.Module):
    def __init__(self, cell: Cell, norm: str) -> None:
        super().__init__()
        self.cell = cell
        c = cell.channels
        if cell.reduction_previous:
            self.pre0: nn.Module = FactorizedReduce(cell.before_previous, c)
        else:
            self.pre0 = nn.Sequential(nn.ReLU(), pointwise(cell.before_previous, c), batch_norm(c))
        self.pre1 = nn.Sequential(nn.ReLU(), pointwise(cell.previous, c), batch_norm(c))
        self.edges = nn.ModuleList(
            nn.ModuleList(
                make_operation(kind, c, 2 if cell.reduction and source < 2 else 1)
                for kind in PRIMITIVES[1:]
            )
            for source, _ in EDGES
        )
        self.norms = nn.ModuleList(NodeNorm(norm, c) for _ in range(NODES))

    def forward(self, s0: Tensor, s1: Tensor, mix: Tensor) -> Tensor:
        nodes = [self.pre0(s0), self.pre1(s1)]
        edge = 0
        for norm in self.norms:
            terms = []
            for source in range(len(nodes)):
                weights = mix[edge].unbind()[1:]
                terms += [w * op(nodes[source]) for w, op in zip(weights, self.edges[edge])]
                edge += 1
            nodes.append(norm(sum(terms[1:], terms[0])))
        return torch.cat(nodes[2:], 1)


class Supernet(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        stem = 3 * config.channels
        self.stem = nn.Sequential(
            nn.Conv2d(config.in_channels, stem, 3, padding=1, bias=False), nn.BatchNorm2d(stem)
        )
        cells = plan_cells(config)
        self.cells = nn.ModuleList(SearchCell(cell, config.norm) for cell in cells)
        self.classifier = nn.Linear(NODES * cells[-1].channels, config.classes)
        shape = (len(EDGES), len(PRIMITIVES))
        self.alphas = nn.ParameterList(
            nn.Parameter(1e-3 * torch.randn(shape)) for _ in ("normal", "reduce")
        )

    def weights(self) -> List[nn.Parameter]:
        return [p for n, p in self.named_parameters() if not n.startswith("alphas.")]

    def forward(self, images: Tensor) -> Tensor:
        s0 = s1 = self.stem(images)
        normal, reduce = (alpha.softmax(1) for alpha in self.alphas)
        for cell in self.cells:
            s0, s1 = s1, cell(s0, s1, reduce if cell.cell.reduction else normal)
        return self.classifier(s1.mean((2, 3)))


# --- agreement with the golden model -----------------------------------------------------


def golden_rows(model: Supernet) -> Iterator[Tuple[nn.Parameter, str, slice]]:
    """Every parameter with the name and the rows it has in the golden model."""
    every = slice(None)
    yield model.stem[0].weight, "stem.conv", every
    yield model.stem[1].weight, "stem.bn.gamma", every
    yield model.stem[1].bias, "stem.bn.beta", every
    for number, cell in enumerate(model.cells):
        prefix = f"cells.{number}"
        for name in ("pre0", "pre1"):
            parts = list(getattr(cell, name).parameters())
            for part, rows in zip(parts, split_rows(parts, 0)):
                yield part, f"{prefix}.{name}", rows
        for (source, target), operations in zip(EDGES, cell.edges):
            start = targets_of(source).index(target) * cell.cell.channels
            for kind, operation in zip(PRIMITIVES[1:], operations):
                base = f"{prefix}.from{source}.{kind}"
                parts = list(operation.parameters())
                if kind == "skip_connect":
                    for part, rows in zip(parts, split_rows(parts, start)):
                        yield part, f"{base}.reduce", rows
                    continue
                names = ("dw", "pw") if kind.startswith("dil") else ("dw1", "pw1", "dw2", "pw2")
                for part, name in zip(parts, names):
                    yield part, f"{base}.{name}", slice(start, start + len(part))
    yield model.classifier.weight, "classifier.weight", every
    yield model.classifier.bias, "classifier.bias", every
    yield model.alphas[0], "alphas.normal", every
    yield model.alphas[1], "alphas.reduce", every


def split_rows(parts: List[nn.Parameter], start: int) -> Iterator[slice]:
    for part in parts:
        yield slice(start, start + len(part))
        start += len(part)


def check(norm: str) -> float:
    """Largest relative deviation from the golden model: logits of both modes, gradients."""
    config = Config(norm=norm, cells=5, height=9, width=11)
    model = Supernet(config).double()
    parameters = golden.make_parameters(config, torch.float64)
    rows_of = list(golden_rows(model))
    assert len(rows_of) == len(list(model.parameters()))
    with torch.no_grad():
        for own, name, rows in rows_of:
            own.copy_(parameters[name][rows].reshape(own.shape))
    images, labels = golden.make_images(config, torch.float64), golden.make_labels(config)
    norms = golden.BatchNorms()
    expected = golden.forward(config, parameters, images, norms)
    F.cross_entropy(expected, labels).backward()
    logits = model(images)
    F.cross_entropy(logits, labels).backward()
    norms.training = False
    pairs = [(logits, expected)]
    pairs.append((model.eval()(images), golden.forward(config, parameters, images, norms)))
    pairs += [(own.grad, parameters[n].grad[rows].reshape(own.shape)) for own, n, rows in rows_of]
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)


# --- timing ------------------------------------------------------------------------------


def count_macs(model: Supernet, images: Tensor) -> int:
    """Multiply-adds of the convolutions and the classifier in one forward pass."""
    total = 0

    def add(module: nn.Module, _: object, y: Tensor) -> None:
        nonlocal total
        total += y.numel() * module.weight[0].numel()

    layers = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    handles = [m.register_forward_hook(add) for m in layers]
    with torch.no_grad():
        model(images)
    for handle in handles:
        handle.remove()
    return total


def wait(cuda: bool) -> None:
    if cuda:
        torch.cuda.synchronize()


def measure(options: argparse.Namespace) -> Dict[str, object]:
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    config = Config(
        norm=options.norm,
        channels=options.channels,
        cells=options.cells,
        batch=options.batch,
        classes=options.classes,
        in_channels=options.in_channels,
        height=options.size,
        width=options.size,
    )
    layout = torch.channels_last if options.layout == "channels_last" else torch.contiguous_format
    cuda = options.device == "cuda"
    model = Supernet(config).to(options.device, memory_format=layout)
    weights, alphas = model.weights(), list(model.alphas)
    parameters = sum(p.numel() for p in weights)
    assert parameters == golden.count_weights(config)
    shape = (config.batch, config.in_channels, config.height, config.width)
    images = torch.randn(shape).to(options.device, memory_format=layout)
    labels = torch.randint(config.classes, (config.batch,)).to(options.device)
    sgd = torch.optim.SGD(weights, lr=0.025, momentum=0.9, weight_decay=3e-4)
    adam = torch.optim.Adam(alphas, lr=3e-4, betas=(0.5, 0.999), weight_decay=1e-3, capturable=cuda)

    def gradients() -> None:
        model.zero_grad(set_to_none=True)
        F.cross_entropy(model(images), labels).backward()

    def weight_step() -> None:
        gradients()
        nn.utils.clip_grad_norm_(weights, 5.0)
        sgd.step()

    def alpha_step() -> None:
        gradients()
        adam.step()

    def frozen_alpha_step() -> None:
        for weight in weights:
            weight.requires_grad_(False)
        alpha_step()
        for weight in weights:
            weight.requires_grad_(True)

    macs = count_macs(model, images)
    kinds: Dict[str, Callable[[], None]] = {
        "weight_step": weight_step,
        "alpha_step": alpha_step,
        "alpha_step_frozen": frozen_alpha_step,
    }
    repeats = options.repeats if cuda else 1
    times: Dict[str, List[float]] = {}

    def time_all() -> None:
        for step in range(options.warmup + options.steps):
            for kind, run in kinds.items():
                wait(cuda)
                start = time.perf_counter()
                for _ in range(repeats):
                    run()
                wait(cuda)
                if step >= options.warmup:
                    times.setdefault(kind, []).append(1e3 * (time.perf_counter() - start) / repeats)

    time_all()
    if cuda:
        kinds = {f"{kind}_graph": recorded(run) for kind, run in kinds.items()}
        time_all()
    result: Dict[str, object] = {
        "peer": "pytorch",
        "version": torch.__version__,
        "device": torch.cuda.get_device_name() if cuda else "cpu",
        "threads": torch.get_num_threads(),
        "layout": options.layout,
        "norm": config.norm,
        "channels": config.channels,
        "cells": config.cells,
        "batch": config.batch,
        "size": options.size,
        "in_channels": config.in_channels,
        "classes": config.classes,
        "steps": options.steps,
        "parameters": parameters,
        "forward_macs": macs,
    }
    for kind, values in times.items():
        result[f"{kind}_ms"] = round(statistics.median(values), 1)
        result[f"{kind}_range_ms"] = [round(min(values), 1), round(max(values), 1)]
    # Linux counts ru_maxrss in KiB.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result["peak_rss_mb"] = round(peak * 1024 / 1e6)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (
        ("channels", 8),
        ("cells", 5),
        ("batch", 32),
        ("size", 28),
        ("in-channels", 3),
        ("classes", 10),
        ("steps", 5),
        ("warmup", 2),
        ("threads", 2),
        ("repeats", 5),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--norm", choices=golden.NODE_NORMS, default="none")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--layout", choices=("channels_last", "default"), default="channels_last")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.add_argument("--check", action="store_true", help="compare with the golden model only")
    options = parser.parse_args()
    if options.check:
        for norm in golden.NODE_NORMS:
            off = check(norm)
            print(f"{norm}: largest relative deviation {off:.1e}")
            assert off < 1e-9
        return
    result = measure(options)
    if options.json:
        print(json.dumps(result))
    else:
        for key, value in result.items():
            print(f"{key:24} {value}")


if __name__ == "__main__":
    main()
