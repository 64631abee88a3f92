"""Peer: the loop of PyTorch's own VAE example, `DataLoader` and all, on the study's architecture.

    python torch_example.py K EPOCHS PIXELS.npy

Prints one JSON object: images_per_s of each epoch after the first, start_s.
"""

from __future__ import annotations

import json
import math
import sys
import time

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

BATCH, N_Z = 100, 50


class Autoencoder(nn.Module):
    """784-200-200-50 and back."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(784, 200), nn.Softplus(), nn.Linear(200, 200), nn.Softplus()
        )
        self.mu, self.logvar = nn.Linear(200, N_Z), nn.Linear(200, N_Z)
        self.decoder = nn.Sequential(
            nn.Linear(N_Z, 200),
            nn.Softplus(),
            nn.Linear(200, 200),
            nn.Softplus(),
            nn.Linear(200, 784),
        )

    def forward(self, x: Tensor, k: int) -> Tensor:
        """Return the batch mean of the negative bound."""
        h = self.encoder(x)
        mu, logvar = self.mu(h), self.logvar(h)
        eps = torch.randn(k, *mu.shape)
        z = mu + torch.exp(0.5 * logvar) * eps
        logits = self.decoder(z)
        target = x.expand_as(logits)
        log_px_z = -F.binary_cross_entropy_with_logits(logits, target, reduction="none").sum(-1)
        if k == 1:
            kl = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum(-1)
            return (kl - log_px_z[0]).mean()
        log_ratio = 0.5 * (eps.square() - z.square()).sum(-1) + 0.5 * logvar.sum(-1)
        return math.log(k) - torch.logsumexp(log_px_z + log_ratio, 0).mean()


def main() -> None:
    """Train and print the rates."""
    k, epochs, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    torch.set_num_threads(1)
    start = time.perf_counter()
    images = torch.from_numpy(np.load(path)).float() / 255
    loader = DataLoader(TensorDataset(images), batch_size=BATCH, shuffle=True)
    model = Autoencoder()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-4)
    rates = []
    for i in range(epochs + 1):
        begin = time.perf_counter()
        for (grey,) in loader:
            optimizer.zero_grad()
            loss = model(torch.bernoulli(grey), k)
            loss.backward()
            optimizer.step()
        rates.append(len(images) / (time.perf_counter() - begin))
        if i == 0:
            start_s = time.perf_counter() - start
    print(json.dumps({"images_per_s": rates[1:], "start_s": start_s}))


if __name__ == "__main__":
    main()
