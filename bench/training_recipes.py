"""Recipes and shapes of small networks on few images, tried where steps are cheap: a plain residual network (that of
`auto`, three cells) in PyTorch, on a part of the training images that bench/outcome.ts has written; the rest of them is
held out and answers. Test images are not looked at. One JSON line a training.

    deno task bench:outcome --sets=clipart,units,fashion-2000,icons --seeds=1 --time=30s --results=.cache/o.jsonl
    python3 bench/training_recipes.py '{"mean": {"C": 8}, "pyramid": {"C": 8, "head": "gap+grid4"}}' clipart,units 1500 0,1

A recipe has any of C (channels), batch, steps, lr, wd, ls, flip and pad (0: none), mixup, cutmix (share of the steps), cap
(training images at the most), head (what the classifier sees: gap, gapmax, grid2, grid4, joined by +), half (1: the stem has
stride 2), members (networks of so many steps each, the mean of whose logits counts), mirror (1: the mean of the logits
for the held-out images and for their mirror images counts; a line more says what is right of each, and by both), muon (the
convolutions' weights by Muon, with so many times the learning rate: 0.2 is what `auto` does). A set with a colon is a folder of IDX
files and how many of its training images are taken; of the others 6,000 answer: /usr/share/datasets/fashion-mnist:2000,
.cache/mnist:1000.
"""
import glob, gzip, json, sys, time
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_num_threads(1)
LAST = torch.channels_last


class Block(nn.Module):
    """Two 3x3 convolutions beside the identity, or beside the mean of 2x2 pixels and a 1x1 convolution."""

    def __init__(self, a, b, stride):
        super().__init__()
        self.c1, self.n1 = nn.Conv2d(a, b, 3, stride, 1, bias=False), nn.BatchNorm2d(b)
        self.c2, self.n2 = nn.Conv2d(b, b, 3, 1, 1, bias=False), nn.BatchNorm2d(b)
        pool = nn.AvgPool2d(2, ceil_mode=True)
        self.side = nn.Sequential(pool, nn.Conv2d(a, b, 1, bias=False)) if stride > 1 else nn.Identity()

    def forward(self, x):
        return self.n2(self.c2(F.relu(self.n1(self.c1(F.relu(x)))))) + self.side(x)


class Muon(torch.optim.SGD):
    """SGD with Nesterov's momentum whose directions get singular values near 1: what src/ops/muon.ts does."""

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                state, decay = self.state[p], group["weight_decay"] / (1 - group["momentum"])
                state["mean"] = state.get("mean", 0) * group["momentum"] + p.grad
                x = (p.grad + group["momentum"] * state["mean"]).flatten(1)
                x = x / (x.norm() + 1e-15)
                for _ in range(5):
                    a = x @ x.T
                    x = (3.4445 * torch.eye(len(a)) - 4.7750 * a + 2.0315 * a @ a) @ x
                length = max(1, x.shape[0] / x.shape[1]) ** 0.5
                p.mul_(1 - group["lr"] * decay).sub_(x.view_as(p), alpha=group["lr"] * group["scale"] * length)


class Head(nn.Module):
    """Pools and a linear layer."""

    def __init__(self, channels, classes, kind):
        super().__init__()
        self.kinds = kind.split("+")
        means = sum({"gap": 1, "gapmax": 2, "grid2": 4, "grid4": 16}[each] for each in self.kinds)
        self.linear = nn.Linear(channels * means, classes)

    def forward(self, x):
        pooled = []
        for kind in self.kinds:
            if kind.startswith("gap"):
                pooled.append(x.mean((2, 3)))
            if kind == "gapmax":
                pooled.append(x.amax((2, 3)))
            if kind.startswith("grid"):
                pooled.append(F.adaptive_avg_pool2d(x, int(kind[4:])).flatten(1))
        return self.linear(torch.cat(pooled, 1))


def network(inputs, classes, recipe):
    c = recipe.get("C", 16)
    return nn.Sequential(
        nn.Conv2d(inputs, c, 3, 2 if recipe.get("half") else 1, 1, bias=False), nn.BatchNorm2d(c),
        Block(c, c, 1), Block(c, 2 * c, 2), Block(2 * c, 2 * c, 1), Block(2 * c, 4 * c, 2), Block(4 * c, 4 * c, 1),
        nn.BatchNorm2d(4 * c), nn.ReLU(), Head(4 * c, classes, recipe.get("head", "gap")),
    ).to(memory_format=LAST)


def idx(pattern):
    """The array of an IDX file of bytes."""
    path = glob.glob(pattern)[0]
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
        raw = file.read()
    dims = [int.from_bytes(raw[at:at + 4], "big") for at in range(4, 4 + 4 * raw[3], 4)]
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(dims)


def held_out(name, seed, cap):
    """Images to train on, the others, number of classes, whether mirroring makes sense."""
    if ":" in name:
        folder, count = name.split(":")
        x, y = idx(f"{folder}/train-images*")[:, None], idx(f"{folder}/train-labels*").astype(np.int64)
        order, count = np.random.RandomState(100 + seed).permutation(len(x)), int(count)
        t, v = order[:count], order[count:count + 6000]
        return (x[t], y[t]), (x[v], y[v]), 10, "fashion" in name
    folder = f".cache/outcome/{name}"
    with open(f"{folder}/shape.json") as file:
        shape = json.load(file)
    size = [shape["channels"], shape["height"], shape["width"]]
    x = np.fromfile(f"{folder}/train.images", dtype=np.uint8).reshape(-1, *size)
    y = np.fromfile(f"{folder}/train.labels", dtype=np.int32).astype(np.int64)
    order, held = np.random.RandomState(100 + seed).permutation(len(x)), min(1500, len(x) // 4)
    v, contents = order[:held], [image.tobytes() for image in x]
    asked = {contents[i] for i in v}
    t = np.array([i for i in order[held:] if contents[i] not in asked])[:cap]  # no copy of what is held out
    return (x[t], y[t]), (x[v], y[v]), shape["classes"], name != "mnist-1000"


def train(name, seed, steps, recipe, member=0):
    """Logits of the held-out images, and their classes."""
    (x, y), (vx, vy), classes, flip = held_out(name, seed, recipe.get("cap", 2000))
    mean, std = x.mean((0, 2, 3), keepdims=True) / 255, x.std((0, 2, 3), keepdims=True) / 255 + 1e-6
    prepare = lambda images: torch.from_numpy(((images / 255 - mean) / std).astype(np.float32))
    images, labels, held, answers = prepare(x), torch.from_numpy(y), prepare(vx), torch.from_numpy(vy)
    torch.manual_seed(seed + 1000 * member)
    np.random.seed(seed + 1000 * member)
    net = network(images.shape[1], classes, recipe).train()
    size, batch, flip = images.shape[2], recipe.get("batch", 32), flip and recipe.get("flip", 1)
    pad, smooth = round(recipe.get("pad", 1 / 12) * size), recipe.get("ls", 0.1)
    black = torch.from_numpy((-mean / std).astype(np.float32))
    padded, order = F.pad(images - black, (pad,) * 4) + black, torch.empty(0, dtype=torch.long)
    weight_decay = recipe.get("wd", 5e-4)
    kernels = [p for p in net.parameters() if p.dim() == 4 and recipe.get("muon")]
    others = [p for p in net.parameters() if all(p is not one for one in kernels)]
    settings = {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": weight_decay}
    optimizers = [torch.optim.SGD(others, **settings)]
    if kernels:
        optimizers.append(Muon([{"params": kernels, "scale": recipe["muon"]}], **settings))
    for step in range(steps):
        if len(order) < batch:
            order = torch.cat([order, torch.randperm(len(images))])
        index, order = order[:batch], order[batch:]
        crops = torch.randint(0, 2 * pad + 1, (batch, 2)).tolist()
        b = torch.stack([padded[i, :, r:r + size, c:c + size] for i, (r, c) in zip(index.tolist(), crops)])
        if flip:
            turned = torch.rand(batch) < 0.5
            b[turned] = b[turned].flip(3)
        share, mixed, other = 1.0, labels[index], labels[index]
        if recipe.get("mixup"):
            share, turn = float(np.random.beta(recipe["mixup"], recipe["mixup"])), torch.randperm(batch)
            b, other = share * b + (1 - share) * b[turn], mixed[turn]
        if recipe.get("cutmix") and np.random.rand() < recipe["cutmix"]:
            left, turn = float(np.random.rand()), torch.randperm(batch)
            half, (row, column) = int(size * (1 - left) ** 0.5) // 2, np.random.randint(0, size, 2)
            (top, low), (bottom, high) = np.maximum((row - half, column - half), 0), np.minimum((row + half, column + half), size)
            b = b.clone()
            b[:, :, top:bottom, low:high] = b[turn][:, :, top:bottom, low:high]
            share, other = 1 - (bottom - top) * (high - low) / size / size, mixed[turn]
        done = step / steps
        for group in [group for optimizer in optimizers for group in optimizer.param_groups]:
            group["lr"] = recipe.get("lr", 0.1) * max(done / 0.2 if done < 0.2 else (1 - done) / 0.8, 1e-3)
        out = net(b.contiguous(memory_format=LAST))
        loss = share * F.cross_entropy(out, mixed, label_smoothing=smooth)
        if share < 1:
            loss = loss + (1 - share) * F.cross_entropy(out, other, label_smoothing=smooth)
        net.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
    net.eval()
    with torch.no_grad():
        logits_of = lambda images: torch.cat([net(part.contiguous(memory_format=LAST)) for part in images.split(256)])
        seen = logits_of(held)
        if not recipe.get("mirror"):
            return seen, answers
        other = logits_of(held.flip(3))
        parts = {"seen": seen, "mirrored": other, "both": seen + other}
        shares = {what: share_right(logits, answers) for what, logits in parts.items()}
        print(json.dumps({"set": name, "seed": seed, "member": member, **shares}), flush=True)
        return (seen + other) / 2, answers


def share_right(logits, answers):
    """Percent."""
    return round(100 * float((logits.argmax(1) == answers).float().mean()), 2)


recipes, sets, usual, seeds = json.loads(sys.argv[1]), sys.argv[2].split(","), int(sys.argv[3]), sys.argv[4].split(",")
for seed in map(int, seeds):
    for name in sets:
        for what, recipe in recipes.items():
            began, steps = time.time(), recipe.get("steps", usual)
            members = [train(name, seed, steps, recipe, member) for member in range(recipe.get("members", 1))]
            answers, each = members[0][1], [share_right(logits, answers) for logits, answers in members]
            right = share_right(sum(logits for logits, _ in members), answers)
            line = {"set": name, "seed": seed, "recipe": what, "steps": steps, "accuracy": right, "members": each}
            print(json.dumps({**line, "seconds": round(time.time() - began, 1)}), flush=True)
