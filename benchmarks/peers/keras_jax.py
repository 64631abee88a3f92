"""Peer: Keras 3 `fit` on the JAX backend, twenty steps an execution.

    KERAS_BACKEND=jax python keras_jax.py K EPOCHS PIXELS.npy

Prints one JSON object: images_per_s of each epoch after the first, start_s.
"""

from __future__ import annotations

import json
import sys
import time

import keras
import numpy as np
from keras import layers, ops

BATCH, N_Z = 100, 50


class Autoencoder(keras.Model):
    """784-200-200-50 and back; `call` returns the batch's negative bound as its loss."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k
        dense = {"kernel_initializer": "glorot_normal"}
        self.encoder = keras.Sequential(
            [layers.Dense(200, "softplus", **dense), layers.Dense(200, "softplus", **dense)]
        )
        self.heads = layers.Dense(2 * N_Z, **dense)
        self.decoder = keras.Sequential(
            [
                layers.Dense(200, "softplus", **dense),
                layers.Dense(200, "softplus", **dense),
                layers.Dense(784, **dense),
            ]
        )
        self.random = keras.random.SeedGenerator(0)

    def call(self, pixels: object) -> object:
        """Return the negative bound of each image, [B]."""
        grey = ops.cast(pixels, "float32") / 255
        x = ops.cast(keras.random.uniform(ops.shape(grey), seed=self.random) < grey, "float32")
        mu, logvar = ops.split(self.heads(self.encoder(x)), 2, axis=-1)
        eps = keras.random.normal((self.k, *mu.shape), seed=self.random)
        z = mu + ops.exp(0.5 * logvar) * eps
        logits = self.decoder(z)
        log_px_z = ops.sum(x * logits - ops.softplus(logits), -1)
        if self.k == 1:
            kl = 0.5 * ops.sum(ops.square(mu) + ops.exp(logvar) - 1 - logvar, -1)
            return kl - log_px_z[0]
        log_ratio = 0.5 * ops.sum(ops.square(eps) - ops.square(z), -1) + 0.5 * ops.sum(logvar, -1)
        return ops.log(float(self.k)) - ops.logsumexp(log_px_z + log_ratio, axis=0)


class Clock(keras.callbacks.Callback):
    """Seconds of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        """Start."""
        self.begin = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        """Stop."""
        self.seconds.append(time.perf_counter() - self.begin)


def main() -> None:
    """Train and print the rates."""
    k, epochs, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    start = time.perf_counter()
    pixels = np.load(path)
    model = Autoencoder(k)
    model.compile(
        optimizer=keras.optimizers.Adam(1e-3, epsilon=1e-4),
        loss=lambda target, loss: ops.mean(loss),
        steps_per_execution=20,
    )
    clock = Clock()
    targets = np.zeros(len(pixels), np.float32)
    model.fit(pixels, targets, BATCH, epochs + 1, verbose=0, callbacks=[clock])
    rates = [len(pixels) / s for s in clock.seconds]
    start_s = time.perf_counter() - start - sum(clock.seconds[1:])
    print(json.dumps({"images_per_s": rates[1:], "start_s": start_s}))


if __name__ == "__main__":
    main()
