"""Derived networks (CIFAR and ImageNet form) as one plain function of named tensors.

The slow, obvious reference for tests/derived_golden_test.ts, after DARTS' public code
(cnn/model.py): affine batch norms, none after a pool, drop path by given factors, and an
auxiliary classifier. Names and shapes of the parameters are ours. Reads and writes no
files (make_derived_golden.py does); building blocks come from supernet.py.
"""

import math
from dataclasses import dataclass
from typing import Dict, List, NamedTuple, Optional, Tuple

import torch
import torch.nn.functional as F

import supernet
from supernet import BatchNorms, Tensors

Choice = Tuple[str, int]


class Genotype(NamedTuple):
    """As in DARTS' public code."""

    normal: List[Choice]
    normal_concat: List[int]
    reduce: List[Choice]
    reduce_concat: List[int]

    @classmethod
    def of(cls, normal: List[Choice], reduce: List[Choice]) -> "Genotype":
        """All nodes are outputs, as in nearly all published cells."""
        return cls(normal, list(range(2, 6)), reduce, list(range(2, 6)))


# Every operation at every stride that it can have, one source twice, nodes left out of the output.
GENOTYPE = Genotype(
    normal=[
        ("sep_conv_3x3", 0), ("dil_conv_5x5", 1),
        ("skip_connect", 0), ("max_pool_3x3", 2),
        ("sep_conv_5x5", 1), ("sep_conv_3x3", 1),
        ("dil_conv_3x3", 3), ("avg_pool_3x3", 0),
    ],
    normal_concat=[2, 4, 5],
    reduce=[
        ("max_pool_3x3", 0), ("skip_connect", 1),
        ("avg_pool_3x3", 1), ("sep_conv_5x5", 0),
        ("dil_conv_3x3", 0), ("skip_connect", 2),
        ("dil_conv_5x5", 1), ("sep_conv_3x3", 0),
    ],
    reduce_concat=[2, 3, 4, 5],
)
# The cell of iDARTS (arXiv 2108.11014) as it was inferred: a node takes two operations from one source.
IDARTS = Genotype.of(
    normal=[
        ("skip_connect", 0), ("skip_connect", 1),
        ("sep_conv_3x3", 0), ("sep_conv_3x3", 1),
        ("sep_conv_5x5", 0), ("max_pool_3x3", 3),
        ("sep_conv_3x3", 0), ("sep_conv_5x5", 0),
    ],
    reduce=[
        ("max_pool_3x3", 0), ("avg_pool_3x3", 1),
        ("sep_conv_3x3", 0), ("sep_conv_5x5", 1),
        ("sep_conv_3x3", 0), ("avg_pool_3x3", 2),
        ("sep_conv_3x3", 0), ("sep_conv_5x5", 1),
    ],
)
AUXILIARY = (128, 768)


@dataclass(frozen=True)
class Config:
    """What decides the shapes and the loss."""

    genotype: Genotype = GENOTYPE
    form: str = "cifar"
    channels: int = 4
    cells: int = 3
    batch: int = 4
    classes: int = 10
    in_channels: int = 3
    height: int = 32
    width: int = 32
    auxiliary_weight: float = 0.4
    keep: float = 1.0
    label_smoothing: float = 0.0


class Network:
    """One pass over the network: `run` with parameters, or `shapes` to learn what they are."""

    def __init__(self, config: Config, parameters: Optional[Tensors], norms: BatchNorms):
        self.config = config
        self.parameters = parameters
        self.norms = norms
        self.shapes: Dict[str, Tuple[int, ...]] = {}
        self.rows = 0
        self.mask: Optional[torch.Tensor] = None

    def weight(self, name: str, *shape: int) -> torch.Tensor:
        self.shapes[name] = shape
        return torch.zeros(shape) if self.parameters is None else self.parameters[name]

    def norm(self, name: str, x: torch.Tensor) -> torch.Tensor:
        channels = x.shape[1]
        gamma = self.weight(f"{name}.gamma", channels)
        beta = self.weight(f"{name}.beta", channels)
        return self.norms(name, x, gamma, beta)

    def conv(self, name: str, x: torch.Tensor, channels: int, stride: int) -> torch.Tensor:
        weight = self.weight(name, channels, x.shape[1], 3, 3)
        return F.conv2d(x, weight, stride=stride, padding=1)

    def reduce(self, name: str, norm: str, x: torch.Tensor, channels: int) -> torch.Tensor:
        weight = self.weight(name, channels, x.shape[1])
        return supernet.factorized_reduce(x, weight, self.norm, norm)

    def pointwise(self, name: str, x: torch.Tensor, channels: int) -> torch.Tensor:
        return supernet.pointwise(x, self.weight(name, channels, x.shape[1]))

    def depthwise(self, name: str, x: torch.Tensor, size: int, stride: int, dilation: int) -> torch.Tensor:
        return supernet.depthwise(x, self.weight(name, x.shape[1], size, size), stride, dilation)

    def operation(self, name: str, kind: str, x: torch.Tensor, stride: int) -> torch.Tensor:
        channels = x.shape[1]
        if kind == "max_pool_3x3":
            return F.max_pool2d(x, 3, stride, padding=1)
        if kind == "avg_pool_3x3":
            return F.avg_pool2d(x, 3, stride, padding=1, count_include_pad=False)
        if kind == "skip_connect":
            return x if stride == 1 else self.reduce(f"{name}.reduce", f"{name}.bn", x, channels)
        size = int(kind[-1])
        if kind.startswith("dil_conv"):
            y = self.depthwise(f"{name}.dw", F.relu(x), size, stride, 2)
            return self.norm(f"{name}.bn", self.pointwise(f"{name}.pw", y, channels))
        for half in (1, 2):
            y = self.depthwise(f"{name}.dw{half}", F.relu(x), size, stride if half == 1 else 1, 1)
            x = self.norm(f"{name}.bn{half}", self.pointwise(f"{name}.pw{half}", y, channels))
        return x

    def drop(self, x: torch.Tensor) -> torch.Tensor:
        row = self.rows
        self.rows += 1
        return x if self.mask is None else x * self.mask[row].view(-1, 1, 1, 1)

    def cell(self, path: str, kind: str, states: List[torch.Tensor]) -> torch.Tensor:
        genotype = self.config.genotype
        choices = getattr(genotype, kind)
        for node in range(len(choices) // 2):
            total = 0
            for k in range(2):
                op, source = choices[2 * node + k]
                stride = 2 if kind == "reduce" and source < 2 else 1
                y = self.operation(f"{path}.node{node}.{k}.{op}", op, states[source], stride)
                identity = op == "skip_connect" and stride == 1
                total = total + (y if identity else self.drop(y))
            states.append(total)
        return torch.cat([states[i] for i in getattr(genotype, f"{kind}_concat")], 1)

    def auxiliary(self, x: torch.Tensor) -> torch.Tensor:
        """Published sizes only: 2x2 must come out of the pool."""
        cifar = self.config.form == "cifar"
        y = F.avg_pool2d(F.relu(x), 5, stride=3 if cifar else 2, padding=0)
        y = F.relu(self.norm("auxiliary.bn1", self.pointwise("auxiliary.conv1", y, AUXILIARY[0])))
        y = F.conv2d(y, self.weight("auxiliary.conv2", AUXILIARY[1], AUXILIARY[0], 2, 2))
        y = F.relu(self.norm("auxiliary.bn2", y) if cifar else y)
        return self.classifier("auxiliary.classifier", y.flatten(1))

    def classifier(self, name: str, features: torch.Tensor) -> torch.Tensor:
        weight = self.weight(f"{name}.weight", self.config.classes, features.shape[1])
        return features @ weight.T + self.weight(f"{name}.bias", self.config.classes)

    def run(self, images: torch.Tensor) -> Tuple[torch.Tensor, Optional[torch.Tensor]]:
        """Logits, and in training those of the auxiliary classifier."""
        config = self.config
        channels = config.channels
        if config.form == "cifar":
            before = last = self.norm("stem.bn", self.conv("stem.conv", images, 3 * channels, 1))
        else:
            half = self.norm("stem0.bn1", self.conv("stem0.conv1", images, channels // 2, 2))
            before = self.norm("stem0.bn2", self.conv("stem0.conv2", F.relu(half), channels, 2))
            last = self.norm("stem1.bn", self.conv("stem1.conv", F.relu(before), channels, 2))
        halved = config.form == "imagenet"
        logits_auxiliary = None
        for index in range(config.cells):
            reduction = index in (config.cells // 3, 2 * config.cells // 3)
            if reduction:
                channels *= 2
            path = f"cells.{index}"
            if halved:
                s0 = self.reduce(f"{path}.pre0", f"{path}.pre0.bn", before, channels)
            else:
                s0 = self.norm(f"{path}.pre0.bn", self.pointwise(f"{path}.pre0", F.relu(before), channels))
            s1 = self.norm(f"{path}.pre1.bn", self.pointwise(f"{path}.pre1", F.relu(last), channels))
            before, last = last, self.cell(path, "reduce" if reduction else "normal", [s0, s1])
            halved = reduction
            if self.norms.training and index == 2 * config.cells // 3:
                logits_auxiliary = self.auxiliary(last)
        return self.classifier("classifier", last.mean((2, 3))), logits_auxiliary


def shape_of(config: Config) -> Network:
    """A pass with zeros, for the shapes of the parameters and the number of droppable paths."""
    network = Network(config, None, BatchNorms())
    with torch.no_grad():
        network.run(torch.zeros(config.batch, config.in_channels, config.height, config.width))
    return network


def centre_and_bound(name: str, shape: Tuple[int, ...]) -> Tuple[float, float]:
    """Range of a parameter's values: centre - bound to centre + bound."""
    if name.endswith(".gamma"):
        return 1.0, 0.2
    if name.endswith(".beta"):
        return 0.0, 0.2
    if name.endswith(".bias"):
        return 0.0, 0.1
    return 0.0, 1.5 / math.sqrt(math.prod(shape[1:]))


def make_parameters(config: Config, dtype: torch.dtype) -> Tensors:
    """Every parameter with its repeatable value, as leaves that want a gradient."""
    return {
        name: supernet.fill(name, shape, *centre_and_bound(name, shape)).to(dtype).requires_grad_()
        for name, shape in shape_of(config).shapes.items()
    }


def make_mask(config: Config, dtype: torch.dtype) -> Optional[torch.Tensor]:
    """Factors of the paths [rows, N]: 1 / keep where uniform("mask") < keep, else 0."""
    if config.keep == 1.0:
        return None
    rows = shape_of(config).rows
    u = torch.from_numpy(supernet.uniform("mask", rows * config.batch)).view(rows, config.batch)
    return ((u < config.keep).float() / torch.tensor(config.keep)).to(dtype)

