"""The DARTS supernet with node normalisation as one plain function of named tensors.

This is the slow, obvious reference that the golden files come from: no modules, no
fusion, every parallel edge computed by itself. It is responsible for the mathematics, the
names and shapes of the parameters and the repeatable values they get; it reads and writes
no files (make_golden.py does) and is not tuned (bench/pytorch_supernet.py is).

Weights of the edges that leave one node are stacked along dimension 0 in the order of
the nodes they lead to, so `cells.1.from2.dil_conv_3x3.pw` holds three blocks of C rows.
"""

import math
from dataclasses import dataclass
from typing import Dict, List, NamedTuple, Optional, Tuple

import numpy as np
import torch
import torch.nn.functional as F

PRIMITIVES = (
    "none",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
NODES = 4
EDGES = [(i, j) for j in range(NODES) for i in range(j + 2)]  # i: 0, 1 = cell inputs
NODE_NORMS = ("none", "batch", "sample", "rms")
EPS = 1e-5
MOMENTUM = 0.1

Tensors = Dict[str, torch.Tensor]


@dataclass(frozen=True)
class Config:
    """What decides the shapes: a search network and the batch it sees."""

    norm: str = "none"
    channels: int = 4
    cells: int = 3
    batch: int = 4
    classes: int = 10
    in_channels: int = 3
    height: int = 8
    width: int = 8
    edge_weights: bool = False
    partial_channels: int = 1


class Cell(NamedTuple):
    """The shape of one cell: its own channels and those of its two inputs."""

    index: int
    channels: int
    before_previous: int
    previous: int
    reduction: bool
    reduction_previous: bool


def plan_cells(config: Config) -> List[Cell]:
    """Cells from the stem to the classifier; channels double in the two reductions."""
    cells = []
    channels = config.channels
    inputs = (3 * channels, 3 * channels)
    reduction_previous = False
    for index in range(config.cells):
        reduction = index in (config.cells // 3, 2 * config.cells // 3)
        if reduction:
            channels *= 2
        cells.append(Cell(index, channels, *inputs, reduction, reduction_previous))
        inputs = (inputs[1], NODES * channels)
        reduction_previous = reduction
    return cells


def targets_of(source: int) -> List[int]:
    """Intermediate nodes (0-based) that node `source` leads to."""
    return [j for i, j in EDGES if i == source]


def parameter_shapes(config: Config) -> Dict[str, Tuple[int, ...]]:
    """Shape of every parameter by name, those of the architecture last."""
    stem = 3 * config.channels
    shapes = {
        "stem.conv": (stem, config.in_channels, 3, 3),
        "stem.bn.gamma": (stem,),
        "stem.bn.beta": (stem,),
    }
    for cell in plan_cells(config):
        c = cell.channels
        part_c = c // config.partial_channels
        prefix = f"cells.{cell.index}"
        shapes[f"{prefix}.pre0"] = (c, cell.before_previous)
        shapes[f"{prefix}.pre1"] = (c, cell.previous)
        for source in range(NODES + 1):
            rows = len(targets_of(source)) * part_c
            base = f"{prefix}.from{source}"
            for k in (3, 5):
                for part in (1, 2):
                    shapes[f"{base}.sep_conv_{k}x{k}.dw{part}"] = (rows, k, k)
                    shapes[f"{base}.sep_conv_{k}x{k}.pw{part}"] = (rows, part_c)
                shapes[f"{base}.dil_conv_{k}x{k}.dw"] = (rows, k, k)
                shapes[f"{base}.dil_conv_{k}x{k}.pw"] = (rows, part_c)
            if cell.reduction and source < 2:
                shapes[f"{base}.skip_connect.reduce"] = (rows, part_c)
    features = NODES * plan_cells(config)[-1].channels
    shapes["classifier.weight"] = (config.classes, features)
    shapes["classifier.bias"] = (config.classes,)
    for kind in ("normal", "reduce"):
        shapes[f"alphas.{kind}"] = (len(EDGES), len(PRIMITIVES))
    if config.edge_weights:
        for kind in ("normal", "reduce"):
            shapes[f"alphas.betas.{kind}"] = (len(EDGES),)
    return shapes


# --- repeatable values -----------------------------------------------------------------


def uniform(name: str, count: int) -> np.ndarray:
    """`count` numbers in [0, 1) (f64, multiples of 2^-32) that depend on `name` only.

    FNV-1a of the name, a Weyl sequence from there, MurmurHash3's finaliser on each term.
    """
    start = 0x811C9DC5
    for byte in name.encode("ascii"):
        start = ((start ^ byte) * 0x01000193) & 0xFFFFFFFF
    mask = np.uint64(0xFFFFFFFF)
    x = (np.uint64(start) + np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B9)) & mask
    x ^= x >> np.uint64(16)
    x = (x * np.uint64(0x85EBCA6B)) & mask
    x ^= x >> np.uint64(13)
    x = (x * np.uint64(0xC2B2AE35)) & mask
    x ^= x >> np.uint64(16)
    return x.astype(np.float64) / 2.0**32


def centre_and_bound(name: str, shape: Tuple[int, ...]) -> Tuple[float, float]:
    """Range of a parameter's values: centre - bound to centre + bound."""
    if name.startswith("alphas."):
        return 0.0, 0.5
    if name == "stem.bn.gamma":
        return 1.0, 0.2
    if name == "stem.bn.beta":
        return 0.0, 0.2
    if name == "classifier.bias":
        return 0.0, 0.1
    return 0.0, 1.5 / math.sqrt(math.prod(shape[1:]))


def fill(name: str, shape: Tuple[int, ...], centre: float, bound: float) -> torch.Tensor:
    """A tensor of f32 values named `name`."""
    u = uniform(name, math.prod(shape))
    values = (centre + (2.0 * u - 1.0) * bound).astype(np.float32)
    return torch.from_numpy(values.reshape(shape))


def make_parameters(config: Config, dtype: torch.dtype) -> Tensors:
    """Every parameter with its repeatable value, as leaves that want a gradient."""
    return {
        name: fill(name, shape, *centre_and_bound(name, shape)).to(dtype).requires_grad_()
        for name, shape in parameter_shapes(config).items()
    }


def make_images(config: Config, dtype: torch.dtype, name: str = "images") -> torch.Tensor:
    """A batch of images [N, Cin, H, W]."""
    shape = (config.batch, config.in_channels, config.height, config.width)
    return fill(name, shape, 0.0, 1.7).to(dtype)


def make_labels(config: Config, name: str = "labels") -> torch.Tensor:
    """The labels [N] that belong to a batch."""
    drawn = np.floor(uniform(name, config.batch) * config.classes)
    return torch.from_numpy(drawn.astype(np.int64))


# --- the network -----------------------------------------------------------------------


class BatchNorms:
    """Batch normalisation by place: batch statistics in training, running ones after.

    Running statistics start at mean 0 and variance 1 and move by MOMENTUM towards each
    training batch's mean and unbiased variance.
    """

    def __init__(self) -> None:
        self.training = True
        self.running: Dict[str, Tuple[torch.Tensor, torch.Tensor]] = {}

    def __call__(
        self,
        place: str,
        x: torch.Tensor,
        gamma: Optional[torch.Tensor] = None,
        beta: Optional[torch.Tensor] = None,
    ) -> torch.Tensor:
        if self.training:
            mean = x.mean((0, 2, 3))
            var = x.var((0, 2, 3), unbiased=False)
            count = x.numel() // x.shape[1]
            old = self.running.get(place, (torch.zeros_like(mean), torch.ones_like(var)))
            fresh = (mean.detach(), var.detach() * (count / (count - 1)))
            self.running[place] = tuple(
                (1 - MOMENTUM) * a + MOMENTUM * b for a, b in zip(old, fresh)
            )
        else:
            mean, var = self.running[place]
        y = (x - per_channel(mean)) / torch.sqrt(per_channel(var) + EPS)
        return y if gamma is None else y * per_channel(gamma) + per_channel(beta)


def per_channel(v: torch.Tensor) -> torch.Tensor:
    return v.view(1, -1, 1, 1)


def pointwise(x: torch.Tensor, weight: torch.Tensor, stride: int = 1) -> torch.Tensor:
    return F.conv2d(x, weight[:, :, None, None], stride=stride)


def depthwise(x: torch.Tensor, weight: torch.Tensor, stride: int, dilation: int) -> torch.Tensor:
    padding = dilation * (weight.shape[-1] // 2)
    return F.conv2d(
        x, weight[:, None], None, stride, padding, dilation, groups=weight.shape[0]
    )


def factorized_reduce(
    x: torch.Tensor, weight: torch.Tensor, norms: BatchNorms, place: str
) -> torch.Tensor:
    """Half the size: even pixels make the first half of the channels, odd ones the other.

    An odd height or width gets a row or column of zeros at the end.
    """
    x = F.relu(x)
    x = F.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2))
    half = weight.shape[0] // 2
    y = torch.cat(
        [pointwise(x, weight[:half], 2), pointwise(x[:, :, 1:, 1:], weight[half:], 2)], 1
    )
    return norms(place, y)


def apply_primitive(
    kind: str,
    x: torch.Tensor,
    stride: int,
    edge_weights: Tensors,
    norms: BatchNorms,
    place: str,
) -> Optional[torch.Tensor]:
    """One candidate operation of one edge; None for `none`, which adds nothing.

    `edge_weights` holds this edge's rows by the last part of the parameter's name.
    """
    if kind == "none":
        return None
    if kind == "max_pool_3x3":
        return norms(place, F.max_pool2d(x, 3, stride, padding=1))
    if kind == "avg_pool_3x3":
        y = F.avg_pool2d(x, 3, stride, padding=1, count_include_pad=False)
        return norms(place, y)
    if kind == "skip_connect":
        if stride == 1:
            return x
        return factorized_reduce(x, edge_weights["reduce"], norms, place)
    if kind.startswith("dil_conv"):
        y = depthwise(F.relu(x), edge_weights["dw"], stride, dilation=2)
        return norms(place, pointwise(y, edge_weights["pw"]))
    for part, part_stride in (("1", stride), ("2", 1)):
        x = depthwise(F.relu(x), edge_weights["dw" + part], part_stride, dilation=1)
        x = norms(f"{place}.{part}", pointwise(x, edge_weights["pw" + part]))
    return x


def normalise_node(s: torch.Tensor, kind: str, norms: BatchNorms, place: str) -> torch.Tensor:
    """The node's value from its raw sum."""
    if kind == "none":
        return s
    if kind == "batch":
        return norms(place, s)
    if kind == "sample":
        centred = s - s.mean((1, 2, 3), keepdim=True)
        variance = centred.square().mean((1, 2, 3), keepdim=True)
        return centred / torch.sqrt(variance + EPS)
    if kind == "rms":
        return s / torch.sqrt(s.square().mean((1, 2, 3), keepdim=True) + EPS)
    raise ValueError(f"Cannot use a node norm outside {NODE_NORMS}: current value is {kind}")


def preprocess(
    x: torch.Tensor, weight: torch.Tensor, reduce: bool, norms: BatchNorms, place: str
) -> torch.Tensor:
    if reduce:
        return factorized_reduce(x, weight, norms, place)
    return norms(place, pointwise(F.relu(x), weight))


def shuffle_channels(x: torch.Tensor, groups: int) -> torch.Tensor:
    """The first channel of each group, then the second of each, and so on."""
    n, c, h, w = x.shape
    return x.view(n, groups, c // groups, h, w).transpose(1, 2).reshape(n, c, h, w)


def run_cell(
    config: Config,
    cell: Cell,
    parameters: Tensors,
    s0: torch.Tensor,
    s1: torch.Tensor,
    norms: BatchNorms,
) -> torch.Tensor:
    prefix = f"cells.{cell.index}"
    nodes = [
        preprocess(
            s0, parameters[f"{prefix}.pre0"], cell.reduction_previous, norms, f"{prefix}.pre0"
        ),
        preprocess(s1, parameters[f"{prefix}.pre1"], False, norms, f"{prefix}.pre1"),
    ]
    kind_of_cell = "reduce" if cell.reduction else "normal"
    mix = torch.softmax(parameters[f"alphas.{kind_of_cell}"], dim=1)
    active = cell.channels // config.partial_channels
    for target in range(NODES):
        raw = 0.0
        entering = [edge for edge, (_, to) in enumerate(EDGES) if to == target]
        shares = torch.ones(len(entering), dtype=mix.dtype)
        if config.edge_weights:
            shares = torch.softmax(parameters[f"alphas.betas.{kind_of_cell}"][entering], dim=0)
        for share, edge in zip(shares, entering):
            source = EDGES[edge][0]
            stride = 2 if cell.reduction and source < 2 else 1
            position = targets_of(source).index(target)
            rows = slice(position * active, (position + 1) * active)
            x = nodes[source][:, :active]
            mixed = 0.0
            for k, kind in enumerate(PRIMITIVES):
                base = f"{prefix}.from{source}.{kind}."
                mine = {n[len(base):]: v[rows] for n, v in parameters.items() if n.startswith(base)}
                place = f"{prefix}.edge{edge}.{kind}"
                y = apply_primitive(kind, x, stride, mine, norms, place)
                if y is not None:
                    mixed = mixed + mix[edge, k] * y
            if config.partial_channels > 1:
                rest = nodes[source][:, active:]
                if stride == 2:
                    rest = F.max_pool2d(rest, 2, 2, ceil_mode=True)
                mixed = shuffle_channels(torch.cat([mixed, rest], 1), config.partial_channels)
            raw = raw + share * mixed
        nodes.append(normalise_node(raw, config.norm, norms, f"{prefix}.node{target}"))
    return torch.cat(nodes[2:], dim=1)


def forward(
    config: Config, parameters: Tensors, images: torch.Tensor, norms: BatchNorms
) -> torch.Tensor:
    """Logits [N, classes]."""
    x = F.conv2d(images, parameters["stem.conv"], padding=1)
    x = norms("stem", x, parameters["stem.bn.gamma"], parameters["stem.bn.beta"])
    s0 = s1 = x
    for cell in plan_cells(config):
        s0, s1 = s1, run_cell(config, cell, parameters, s0, s1, norms)
    features = s1.mean((2, 3))
    return features @ parameters["classifier.weight"].T + parameters["classifier.bias"]


def count_weights(config: Config) -> int:
    """Parameters without the alphas."""
    return sum(
        math.prod(shape)
        for name, shape in parameter_shapes(config).items()
        if not name.startswith("alphas.")
    )


assert count_weights(Config(channels=16, cells=8, in_channels=3, classes=10)) == 1_930_618
assert plan_cells(Config(cells=8))[2].reduction and plan_cells(Config(cells=8))[5].reduction
