"""DenseNet-121 in numpy alone, by the paper and torchvision's names: what imports are held against.

Source: Huang et al. 2017, arXiv:1608.06993, table 1; padding and epsilon as PyTorch has them.
"""

from __future__ import annotations

import numpy as np

Weights = dict[str, np.ndarray]


def random_weights(channels: int, outputs: int, seed: int = 0) -> Weights:
    """Weights that keep their signal: He's variance, and statistics of about a unit normal."""
    rng = np.random.default_rng(seed)
    made: Weights = {}

    def conv(name: str, out: int, into: int, size: int) -> None:
        deviation = np.sqrt(2 / (into * size * size))
        made[f"{name}.weight"] = rng.normal(0, deviation, (out, into, size, size))

    def norm(name: str, width: int) -> None:
        made[f"{name}.weight"] = rng.uniform(0.5, 1.5, width)
        made[f"{name}.bias"] = rng.normal(0, 0.2, width)
        made[f"{name}.running_mean"] = rng.normal(0, 0.2, width)
        made[f"{name}.running_var"] = rng.uniform(0.5, 2, width)

    conv("features.conv0", 64, channels, 7)
    norm("features.norm0", 64)
    width = 64
    for block, layers in enumerate((6, 12, 24, 16), 1):
        for layer in range(1, layers + 1):
            at = f"features.denseblock{block}.denselayer{layer}"
            norm(f"{at}.norm1", width)
            conv(f"{at}.conv1", 128, width, 1)
            norm(f"{at}.norm2", 128)
            conv(f"{at}.conv2", 32, 128, 3)
            width += 32
        if block < 4:
            norm(f"features.transition{block}.norm", width)
            conv(f"features.transition{block}.conv", width // 2, width, 1)
            width //= 2
    norm("features.norm5", width)
    # A variance as small as epsilon, where 1e-5 and keras' 1.001e-5 would differ most.
    made["features.norm5.running_var"][:] = 1e-5
    made["features.norm5.weight"] *= 0.003
    made["classifier.weight"] = rng.normal(0, 0.05, (outputs, width))
    made["classifier.bias"] = rng.normal(0, 0.5, outputs)
    return {name: array.astype(np.float32) for name, array in made.items()}


def logits(weights: Weights, image: np.ndarray) -> np.ndarray:
    """Return the logits of one normalised image [channels, rows, columns], in double precision."""
    w = {name: array.astype(np.float64) for name, array in weights.items()}

    def conv(x: np.ndarray, name: str, stride: int = 1, pad: int = 0) -> np.ndarray:
        kernel = w[f"{name}.weight"]
        x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
        windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[2:], (1, 2))
        return np.einsum(
            "irckl,oikl->orc", windows[:, ::stride, ::stride], kernel, optimize="greedy"
        )

    def norm_relu(x: np.ndarray, name: str) -> np.ndarray:
        scale = w[f"{name}.weight"] / np.sqrt(w[f"{name}.running_var"] + 1e-5)
        shift = w[f"{name}.bias"] - w[f"{name}.running_mean"] * scale
        return np.maximum(x * scale[:, None, None] + shift[:, None, None], 0)

    x = norm_relu(conv(image, "features.conv0", 2, 3), "features.norm0")
    x = np.pad(x, ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    x = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (1, 2))[:, ::2, ::2].max((3, 4))
    for block, layers in enumerate((6, 12, 24, 16), 1):
        for layer in range(1, layers + 1):
            at = f"features.denseblock{block}.denselayer{layer}"
            new = conv(norm_relu(x, f"{at}.norm1"), f"{at}.conv1")
            new = conv(norm_relu(new, f"{at}.norm2"), f"{at}.conv2", pad=1)
            x = np.concatenate([x, new])
        if block < 4:
            at = f"features.transition{block}"
            x = conv(norm_relu(x, f"{at}.norm"), f"{at}.conv")
            rows, columns = x.shape[1] // 2, x.shape[2] // 2
            x = x[:, : 2 * rows, : 2 * columns].reshape(-1, rows, 2, columns, 2).mean((2, 4))
    features = norm_relu(x, "features.norm5").mean((1, 2))
    return w["classifier.weight"] @ features + w["classifier.bias"]
