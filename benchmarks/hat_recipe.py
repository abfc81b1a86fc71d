"""This module fits HAT's predictor, with which the benchmarks compare others.

It is written from the paper (Wang et al., 2020, arXiv 2005.14187). The network has four hidden
layers of 400 units with ReLU. Adam at 1e-5 minimises the mean squared error in 5000 steps of 128
rows. Features and latencies are divided by their largest values.
"""

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

_STEPS = 5000
_BATCH = 128


def hat_predictions(
    train_X: NDArray[np.float64],
    train_y: NDArray[np.float64],
    test_X: NDArray[np.float64],
    *,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Return the predicted latencies of the test rows in milliseconds, shape (rows,)."""
    torch.manual_seed(seed)
    scale, unit = np.abs(train_X).max(axis=0), float(train_y.max())
    scale[scale == 0] = 1.0
    X = torch.tensor(train_X / scale, dtype=torch.float32)
    y = torch.tensor(train_y / unit, dtype=torch.float32)
    widths = [X.shape[1], 400, 400, 400, 400]
    layers: list[torch.nn.Module] = []
    for n_in, n_out in pairwise(widths):
        layers += [torch.nn.Linear(n_in, n_out), torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers, torch.nn.Linear(400, 1))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-5)
    for _ in range(_STEPS):
        rows = torch.randint(len(X), (min(_BATCH, len(X)),))
        loss = torch.nn.functional.mse_loss(network(X[rows])[:, 0], y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        predicted = network(torch.tensor(test_X / scale, dtype=torch.float32))[:, 0]
    return np.maximum(predicted.numpy().astype(np.float64) * unit, 1e-3)
