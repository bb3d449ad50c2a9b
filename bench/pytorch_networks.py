"""The PyTorch peer of networks.ts: training steps, evaluation and prediction of derived networks.

    echo '{"network": ..., "what": "train", "batches": [64], "steps": 5}' | /usr/bin/python3 bench/pytorch_networks.py

Reads one JSON object per line and answers each with one: medians over the steps after the warm-up, in
milliseconds, of a training step, or of the prediction of one image with the fastest of the batches. Stock
modules with what makes PyTorch quick on a CPU: channels_last, every core, and for predictions inference
mode, plain or frozen with batch norms folded, whichever is faster. With `"device": "cuda"` the mean of 20 runs
between two waits for the device, of CUDA graphs too: "graphMs". Needs Debian's python3-torch and
libopenblas0-pthread.
"""

import json
import statistics
import sys
import time
from typing import Any, Callable, Dict, List

import torch
from torch import Tensor, nn
import torch.nn.functional as F

from pytorch_cuda import recorded

Choices = List[Dict[str, Any]]


def normed(channels: int, *modules: nn.Module) -> nn.Sequential:
    return nn.Sequential(*modules, nn.BatchNorm2d(channels))


def conv(c_in: int, c_out: int, k: int, stride: int = 1, dilation: int = 1, groups: int = 1) -> nn.Module:
    return nn.Conv2d(c_in, c_out, k, stride, dilation * (k // 2), dilation, groups, bias=False)


class FactorizedReduce(nn.Module):
    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.even = conv(c_in, c_out // 2, 1, 2)
        self.odd = conv(c_in, c_out - c_out // 2, 1, 2)
        self.norm = nn.BatchNorm2d(c_out)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(x)
        if x.shape[2] % 2 or x.shape[3] % 2:
            x = F.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2))
        return self.norm(torch.cat([self.even(x), self.odd(x[:, :, 1:, 1:])], 1))


def operation(kind: str, c: int, stride: int) -> nn.Module:
    if kind == "max_pool_3x3":
        return nn.MaxPool2d(3, stride, 1)
    if kind == "avg_pool_3x3":
        return nn.AvgPool2d(3, stride, 1, count_include_pad=False)
    if kind == "skip_connect":
        return nn.Identity() if stride == 1 else FactorizedReduce(c, c)
    k = int(kind[-1])
    if kind.startswith("nor_conv"):
        return normed(c, nn.ReLU(), conv(c, c, k, stride))
    if kind.startswith("dil"):
        return normed(c, nn.ReLU(), conv(c, c, k, stride, 2, c), conv(c, c, 1))
    halves = [(nn.ReLU(), conv(c, c, k, s, 1, c), conv(c, c, 1), nn.BatchNorm2d(c)) for s in (stride, 1)]
    return nn.Sequential(*halves[0], *halves[1])


class Nodes(nn.Module):
    """The nodes of a cell. `nodes` are pairs of an operation and the state that it reads."""

    def __init__(self, nodes: List[Choices], outputs: List[int], c: int, reduction: bool) -> None:
        super().__init__()
        self.outputs = outputs
        self.edges = nn.ModuleList()
        self.plan: List[List[int]] = []
        for node in nodes:
            kept = [one for one in node if one["op"] != "none"]
            self.plan.append([one["from"] for one in kept])
            for one in kept:
                stride = 2 if reduction and one["from"] < 2 else 1
                self.edges.append(operation(one["op"], c, stride))

    def forward(self, *states: Tensor) -> Tensor:
        every, edges = list(states), iter(self.edges)
        for sources in self.plan:
            terms = [next(edges)(every[source]) for source in sources]
            total = terms[0]
            for term in terms[1:]:
                total = total + term
            every.append(total)
        kept = [every[i] for i in self.outputs]
        return kept[0] if len(kept) == 1 else torch.cat(kept, 1)


class DartsNetwork(nn.Module):
    def __init__(self, config: Dict[str, Any]) -> None:
        super().__init__()
        genotype, cells, c = config["genotype"], config["cells"], config["channels"]
        self.stem = normed(3 * c, conv(config["inputChannels"], 3 * c, 3))
        self.cells = nn.ModuleList()
        before, last, halved = 3 * c, 3 * c, False
        for number in range(cells):
            reduction = number in (cells // 3, 2 * cells // 3)
            c *= 2 if reduction else 1
            kind = genotype["reduce" if reduction else "normal"]
            pre0 = FactorizedReduce(before, c) if halved else normed(c, nn.ReLU(), conv(before, c, 1))
            pre1 = normed(c, nn.ReLU(), conv(last, c, 1))
            nodes = Nodes(kind["nodes"], kind["concat"], c, reduction)
            self.cells.append(nn.ModuleList([pre0, pre1, nodes]))
            before, last, halved = last, len(kind["concat"]) * c, reduction
        self.classifier = nn.Linear(last, config["classes"])

    def forward(self, images: Tensor) -> Tensor:
        s0 = s1 = self.stem(images)
        for pre0, pre1, nodes in self.cells:
            s0, s1 = s1, nodes(pre0(s0), pre1(s1))
        return self.classifier(s1.mean((2, 3)))


class Residual(nn.Module):
    def __init__(self, c: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.ReLU(), conv(c, 2 * c, 3, 2), nn.BatchNorm2d(2 * c), nn.ReLU(), conv(2 * c, 2 * c, 3), nn.BatchNorm2d(2 * c)
        )
        self.short = nn.Sequential(nn.AvgPool2d(2, 2), conv(c, 2 * c, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.short(x) + self.main(x)


class NasBenchNetwork(nn.Module):
    def __init__(self, config: Dict[str, Any]) -> None:
        super().__init__()
        cell, cells, c = config["genotype"]["normal"], config["cells"], config["channels"]
        layers: List[nn.Module] = [normed(c, conv(config["inputChannels"], c, 3))]
        for number in range(cells):
            if number in (cells // 3, 2 * cells // 3):
                layers.append(Residual(c))
                c *= 2
            layers.append(Nodes(cell["nodes"], cell["concat"], c, False))
        self.features = nn.Sequential(*layers, nn.BatchNorm2d(c), nn.ReLU())
        self.classifier = nn.Linear(c, config["classes"])

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.features(images).mean((2, 3)))


# Runs between two waits for a GPU.
REPEATS = 20


def timed(run: Callable[[], Any], steps: int, warmup: int, cuda: bool) -> Dict[str, Any]:
    times: List[float] = []
    cpu: List[float] = []
    repeats = REPEATS if cuda else 1
    for step in range(warmup + steps):
        start, busy = time.perf_counter(), time.process_time()
        for _ in range(repeats):
            run()
        if cuda:
            torch.cuda.synchronize()
        if step >= warmup:
            times.append(1e3 * (time.perf_counter() - start) / repeats)
            cpu.append(1e3 * (time.process_time() - busy) / repeats)
    return {"ms": statistics.median(times), "cpuMs": statistics.median(cpu)}


def timed_and_recorded(run: Callable[[], Any], steps: int, cuda: bool) -> Dict[str, Any]:
    result = timed(run, steps, 2, cuda)
    if cuda:
        result["graphMs"] = timed(recorded(run), steps, 2, True)["ms"]
    return result


def predict(model: nn.Module, images: Tensor, steps: int, cuda: bool) -> Dict[str, Any]:
    with torch.inference_mode():
        best = timed_and_recorded(lambda: model(images), steps, cuda)
        if not cuda:
            frozen = torch.jit.optimize_for_inference(torch.jit.trace(model, images))
            best = min(best, timed(lambda: frozen(images), steps, 4, cuda), key=lambda one: one["ms"])
    return {key: value / len(images) for key, value in best.items()}


def measure(request: Dict[str, Any]) -> Dict[str, Any]:
    config, steps, batches = request["network"], request["steps"], request["batches"]
    torch.set_num_threads(request.get("threads", 2))
    kind = NasBenchNetwork if config["genotype"].get("skeleton") == "nas-bench-201" else DartsNetwork
    device = request.get("device", "cpu")
    cuda = device == "cuda"
    model = kind(config).to(device, memory_format=torch.channels_last)
    parameters = list(model.parameters())
    count = {"parameters": sum(p.numel() for p in parameters)}

    def images(batch: int) -> Tensor:
        shape = (batch, config["inputChannels"], config["height"], config["width"])
        return torch.randn(shape).to(device, memory_format=torch.channels_last)

    if request["what"] == "predict":
        model.eval()
        every = [predict(model, images(batch), steps, cuda) for batch in batches]
        return {**count, **min(every, key=lambda one: one["ms"])}
    data, labels = images(batches[0]), torch.randint(config["classes"], (batches[0],)).to(device)
    sgd = torch.optim.SGD(parameters, lr=0.025, momentum=0.9, weight_decay=3e-4)

    def train() -> None:
        model.zero_grad(set_to_none=True)
        F.cross_entropy(model(data), labels).backward()
        nn.utils.clip_grad_norm_(parameters, 5.0)
        sgd.step()

    return {**count, **timed_and_recorded(train, steps, cuda)}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(measure(json.loads(line))), flush=True)
