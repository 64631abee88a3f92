"""Peer: JAX and optax, a whole epoch in one `lax.scan`, compiled once.

    python jax_scan.py K EPOCHS PIXELS.npy

Prints one JSON object: images_per_s of each epoch after the first, start_s.
"""

from __future__ import annotations

import json
import sys
import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

WIDTHS = ((784, 200), (200, 200), (200, 100), (50, 200), (200, 200), (200, 784))
BATCH, N_Z = 100, 50


def initial(key: jax.Array) -> list[tuple[jax.Array, jax.Array]]:
    """Return Glorot-normal weights and zero biases."""
    keys = jax.random.split(key, len(WIDTHS))
    return [
        (jax.random.normal(k, w) * np.sqrt(2 / sum(w)), jnp.zeros(w[1]))
        for k, w in zip(keys, WIDTHS, strict=True)
    ]


def bound(params: list, x: jax.Array, eps: jax.Array) -> jax.Array:
    """Return the batch mean of the bound: ELBO (analytic KL) at K = 1, else IWAE."""
    affine = [lambda a, w=w, b=b: a @ w + b for w, b in params]
    h = jax.nn.softplus(affine[1](jax.nn.softplus(affine[0](x))))
    mu, logvar = jnp.split(affine[2](h), 2, axis=-1)
    z = mu + jnp.exp(0.5 * logvar) * eps
    h = jax.nn.softplus(affine[4](jax.nn.softplus(affine[3](z))))
    logits = affine[5](h)
    log_px_z = (x * logits - jax.nn.softplus(logits)).sum(-1)
    if eps.shape[0] == 1:
        kl = 0.5 * (mu**2 + jnp.exp(logvar) - 1 - logvar).sum(-1)
        return (log_px_z[0] - kl).mean()
    log_ratio = -0.5 * (z**2).sum(-1) + 0.5 * (eps**2).sum(-1) + 0.5 * logvar.sum(-1)
    return (jax.nn.logsumexp(log_px_z + log_ratio, axis=0) - jnp.log(eps.shape[0])).mean()


OPTIMIZER = optax.adam(1e-3, b1=0.9, b2=0.999, eps=1e-4)


@partial(jax.jit, static_argnums=4, donate_argnums=(0, 1))
def epoch(params: list, moments: tuple, pixels: jax.Array, key: jax.Array, k: int) -> tuple:
    """Train on every image once, each batch binarized afresh."""
    order_key, key = jax.random.split(key)
    orders = jax.random.permutation(order_key, len(pixels)).reshape(-1, BATCH)

    def step(carry: tuple, rows: jax.Array) -> tuple:
        params, moments, key = carry
        key, bits_key, eps_key = jax.random.split(key, 3)
        bits = jax.random.bits(bits_key, (BATCH, pixels.shape[1]), jnp.uint8)
        x = (bits < pixels[rows]).astype(jnp.float32)
        eps = jax.random.normal(eps_key, (k, BATCH, N_Z))
        loss, grads = jax.value_and_grad(lambda p: -bound(p, x, eps))(params)
        updates, moments = OPTIMIZER.update(grads, moments, params)
        return (optax.apply_updates(params, updates), moments, key), loss

    (params, moments, _), losses = jax.lax.scan(step, (params, moments, key), orders)
    return params, moments, losses.mean()


def main() -> None:
    """Train and print the rates."""
    k, epochs, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    start = time.perf_counter()
    pixels = jnp.asarray(np.load(path))
    # A hardware generator's bits: several times cheaper here than the default, threefry.
    key = jax.random.key(0, impl="rbg")
    params = initial(key)
    moments = OPTIMIZER.init(params)
    rates = []
    for i in range(epochs + 1):
        begin = time.perf_counter()
        params, moments, loss = epoch(params, moments, pixels, jax.random.fold_in(key, i), k)
        assert np.isfinite(float(loss))
        rates.append(len(pixels) / (time.perf_counter() - begin))
        if i == 0:
            start_s = time.perf_counter() - start
    print(json.dumps({"images_per_s": rates[1:], "start_s": start_s}))


if __name__ == "__main__":
    main()
