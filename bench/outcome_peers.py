"""What others get on the images that bench/outcome.ts writes: a random forest on pixels (scikit-learn), and a plain residual
network with a sound recipe (PyTorch: one-cycle, crops, flips, label smoothing), trained for a given time. Prints JSON lines.

    python3 outcome_peers.py FOLDER SECONDS SEED FLIP
"""
import json, sys, time
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.ensemble import RandomForestClassifier

folder, seconds, seed, flip = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "1"
with open(f"{folder}/shape.json") as file:
    shape = json.load(file)
size = [shape["channels"], shape["height"], shape["width"]]


def part(name):
    images = np.fromfile(f"{folder}/{name}.images", dtype=np.uint8).reshape(-1, *size)
    return images, np.fromfile(f"{folder}/{name}.labels", dtype=np.int32).astype(np.int64)


(x, y), (tx, ty) = part("train"), part("test")
began = time.time()
forest = RandomForestClassifier(300, random_state=seed, n_jobs=2).fit(x.reshape(len(x), -1), y)
right = float((forest.predict(tx.reshape(len(tx), -1)) == ty).mean())
print(json.dumps({"who": "forest", "accuracy": right, "seconds": time.time() - began}), flush=True)


class Block(nn.Module):
    """Two 3x3 convolutions beside the identity, or beside a strided 1x1 convolution."""

    def __init__(self, a, b, stride):
        super().__init__()
        self.c1, self.n1 = nn.Conv2d(a, b, 3, stride, 1, bias=False), nn.BatchNorm2d(b)
        self.c2, self.n2 = nn.Conv2d(b, b, 3, 1, 1, bias=False), nn.BatchNorm2d(b)
        self.side = nn.Sequential(nn.Conv2d(a, b, 1, stride, bias=False), nn.BatchNorm2d(b)) if stride > 1 else nn.Identity()

    def forward(self, x):
        return F.relu(self.n2(self.c2(F.relu(self.n1(self.c1(x))))) + self.side(x))


torch.manual_seed(seed)
torch.set_num_threads(2)
began = time.time()
net = nn.Sequential(
    nn.Conv2d(size[0], 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
    Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, shape["classes"]),
).to(memory_format=torch.channels_last)
mean, std = x.mean((0, 2, 3), keepdims=True) / 255, x.std((0, 2, 3), keepdims=True) / 255 + 1e-6
prepare = lambda images: torch.from_numpy(((images / 255 - mean) / std).astype(np.float32))
train, labels, test = prepare(x), torch.from_numpy(y), prepare(tx)
batch, pad = min(64 if len(x) >= 2000 else 32, len(x) // 2), max(1, round(size[1] / 12))
padded = F.pad(train, (pad,) * 4)


def batch_of(index):
    crops = torch.randint(0, 2 * pad + 1, (len(index), 2)).tolist()
    out = torch.stack([padded[i, :, r:r + size[1], c:c + size[2]] for i, (r, c) in zip(index.tolist(), crops)])
    if flip:
        turned = torch.rand(len(index)) < 0.5
        out[turned] = out[turned].flip(3)
    return out.contiguous(memory_format=torch.channels_last)


optimizer = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)
net.train()
clock, step = time.time(), 0
deadline = began + seconds - 2 - 0.0005 * len(tx)
while time.time() < deadline:  # one cycle by the clock: the rate rises for a fifth of the time and falls to zero
    for index in torch.randperm(len(train)).split(batch):
        share = (time.time() - clock) / (deadline - clock)
        if share >= 1 or len(index) < 2:
            break
        rate = share / 0.2 if share < 0.2 else (1 - share) / 0.8
        for group in optimizer.param_groups:
            group["lr"] = 0.1 * max(rate, 1e-3)
        loss = F.cross_entropy(net(batch_of(index)), labels[index], label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
net.eval()
with torch.no_grad():
    said = torch.cat([net(t.contiguous(memory_format=torch.channels_last)).argmax(1) for t in test.split(256)]).numpy()
weights = sum(p.numel() for p in net.parameters())
print(json.dumps({"who": "PyTorch", "accuracy": float((said == ty).mean()), "seconds": time.time() - began, "steps": step,
                  "weights": weights}), flush=True)
