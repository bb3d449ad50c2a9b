"""Writes the golden tensors that the WebGPU derived networks are tested against.

    /usr/bin/python3 tests/golden/make_derived_golden.py

Computed in f64 and stored as f32 beside this file; the same in f32 must agree, as in
make_golden.py, whose storage this shares (tensors of more than WHOLE elements by row).

derived_<name>.safetensors holds `logits`, `logits_auxiliary`, `loss` [2] (main and
auxiliary mean cross-entropy), `grad.<parameter>` of main + weight * auxiliary, and
`logits_eval` (running statistics after that one training forward). The CIFAR cases drop
paths, one of them is iDARTS' cell; the ImageNet case has odd sizes and label smoothing. Sizes are such that no input of a
ReLU lies within 4e-6 standard deviations of zero: of a million inputs one or another does (with
width 29 at 7e-8), and then rounding decides what the gradients are.
"""

import os
from typing import Dict

import torch
import torch.nn.functional as F

import derived
import make_golden
import supernet
from derived import IDARTS, Config
from supernet import BatchNorms, Tensors

make_golden.WHOLE = 24

CASES = {
    "cifar": Config(form="cifar", in_channels=2, height=32, width=35, keep=0.7),
    "imagenet": Config(form="imagenet", height=200, width=193, batch=3, classes=7, label_smoothing=0.1),
    "idarts": Config(genotype=IDARTS, keep=0.7, height=31, width=34),
}
NAMES = {
    "in_channels": "inputChannels",
    "auxiliary_weight": "auxiliaryWeight",
    "label_smoothing": "labelSmoothing",
}


def compute(config: Config, dtype: torch.dtype) -> Tensors:
    """Logits of both classifiers, losses, all gradients, and the logits with running statistics."""
    parameters = derived.make_parameters(config, dtype)
    images, labels = supernet.make_images(config, dtype), supernet.make_labels(config)
    norms = BatchNorms()
    network = derived.Network(config, parameters, norms)
    network.mask = derived.make_mask(config, dtype)
    logits, auxiliary = network.run(images)
    losses = [
        F.cross_entropy(z, labels, label_smoothing=config.label_smoothing) for z in (logits, auxiliary)
    ]
    total = losses[0] + config.auxiliary_weight * losses[1]
    gradients = torch.autograd.grad(total, list(parameters.values()), allow_unused=True)
    norms.training = False
    with torch.no_grad():
        logits_eval, _ = derived.Network(config, parameters, norms).run(images)
    results = {
        "logits": logits,
        "logits_auxiliary": auxiliary,
        "loss": torch.stack(losses),
        "logits_eval": logits_eval,
    }
    results.update((f"grad.{n}", g) for n, g in zip(parameters, gradients) if g is not None)
    return {name: value.detach() for name, value in results.items()}


def metadata_of(config: Config) -> Dict[str, str]:
    return {NAMES.get(key, key): str(value) for key, value in vars(config).items()}


def main() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    torch.set_num_threads(1)
    for name, config in CASES.items():
        print(config)
        results = compute(config, torch.float64)
        make_golden.report(results, compute(config, torch.float32), 3e-5)
        path = os.path.join(here, f"derived_{name}.safetensors")
        stored = make_golden.pack(results, make_golden.WHOLE)
        # Vectors gain nothing from being stored by row.
        stored.update((n, v.double().numpy()) for n, v in results.items() if v.dim() == 1)
        make_golden.write_safetensors(path, stored, metadata_of(config))
        print(f"  {os.path.getsize(path)} bytes")


if __name__ == "__main__":
    main()
