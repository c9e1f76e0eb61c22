"""Run by a Python that has torch: a DenseNet-121 saved in every way, and its own answers.

python torch_densenet.py FOLDER: reads FOLDER/x.npy (float32 [N, C, h, w], normalised), writes
FOLDER/<kind>.pth and FOLDER/logits.npy. The modules are named as torchvision's, which need not be
there.
"""

import sys
from collections import OrderedDict

import numpy as np
import torch
from torch import nn


class Layer(nn.Sequential):
    def __init__(self, width):
        super().__init__()
        self.add_module("norm1", nn.BatchNorm2d(width))
        self.add_module("relu1", nn.ReLU())
        self.add_module("conv1", nn.Conv2d(width, 128, 1, bias=False))
        self.add_module("norm2", nn.BatchNorm2d(128))
        self.add_module("relu2", nn.ReLU())
        self.add_module("conv2", nn.Conv2d(128, 32, 3, padding=1, bias=False))

    def forward(self, x):
        return torch.cat([x, super().forward(x)], 1)


class DenseNet(nn.Module):
    def __init__(self, channels, outputs):
        super().__init__()
        parts = [
            ("conv0", nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)),
            ("norm0", nn.BatchNorm2d(64)),
            ("relu0", nn.ReLU()),
            ("pool0", nn.MaxPool2d(3, stride=2, padding=1)),
        ]
        width = 64
        for block, layers in enumerate((6, 12, 24, 16), 1):
            made = [(f"denselayer{n + 1}", Layer(width + 32 * n)) for n in range(layers)]
            parts.append((f"denseblock{block}", nn.Sequential(OrderedDict(made))))
            width += 32 * layers
            if block < 4:
                transition = [
                    ("norm", nn.BatchNorm2d(width)),
                    ("relu", nn.ReLU()),
                    ("conv", nn.Conv2d(width, width // 2, 1, bias=False)),
                    ("pool", nn.AvgPool2d(2, stride=2)),
                ]
                parts.append((f"transition{block}", nn.Sequential(OrderedDict(transition))))
                width //= 2
        parts.append(("norm5", nn.BatchNorm2d(width)))
        self.features = nn.Sequential(OrderedDict(parts))
        self.classifier = nn.Linear(width, outputs)

    def forward(self, x):
        maps = torch.relu(self.features(x))
        return self.classifier(maps.mean((2, 3)))


def of_old(name):
    """As torchvision 0.2 named it, with a classifier of nn.Sequential(nn.Linear, nn.Sigmoid)."""
    for part in ("norm1", "norm2", "conv1", "conv2"):
        name = name.replace(f".{part}.", f".{part[:-1]}.{part[-1]}.")
    return name.replace("classifier.", "classifier.0.")


def main(folder):
    torch.manual_seed(0)
    x = torch.from_numpy(np.load(f"{folder}/x.npy"))
    model = DenseNet(x.shape[1], 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(2):  # So that statistics and optimizer hold something.
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        model.classifier.weight.mul_(100)  # So that answers lie far apart.
        np.save(f"{folder}/logits.npy", model(x).numpy())
    state = model.state_dict()
    old = OrderedDict((f"module.densenet121.{of_old(k)}", v) for k, v in state.items())
    trained = {"epoch": 2, "state_dict": old, "best_loss": np.float64(0.5)}
    trained["optimizer"] = optimizer.state_dict()
    torch.save(state, f"{folder}/state.pth")
    torch.save(trained, f"{folder}/legacy.pth", _use_new_zipfile_serialization=False)
    DenseNet.__module__, Layer.__module__ = "torchxrayvision.models", "torchxrayvision.models"
    sys.modules["torchxrayvision"] = sys.modules["torchxrayvision.models"] = sys.modules[__name__]
    torch.save(model, f"{folder}/whole.pth")
    torch.save(model, f"{folder}/whole-legacy.pth", _use_new_zipfile_serialization=False)


if __name__ == "__main__":
    main(sys.argv[1])
