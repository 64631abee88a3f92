"""The widgets compute what numpy computes, from data packed small."""

from __future__ import annotations

import base64
import itertools
import json
import re
from importlib import resources
from typing import Any, Literal

import numpy as np
import pytest

from vaestudy.report import ReportError
from vaestudy.report.widgets import decoder_widget, latent_scatter_3d

quickjs = pytest.importorskip("quickjs", reason="the report needs the workflow's packages")
Activation = Literal["softplus", "relu", "tanh"]
ATOB = """
const atob = text => {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  let out = '', bits = 0, held = 0;
  for (const c of text.replace(/=+$/, '')) {
    held = ((held << 6) | letters.indexOf(c)) & 0xffffff; bits += 6;
    if (bits >= 8) { bits -= 8; out += String.fromCharCode((held >> bits) & 255); }
  }
  return out;
};
"""


def layers(*sizes: int, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(seed)
    pairs = itertools.pairwise(sizes)
    return [(rng.normal(0, 1.5 / np.sqrt(n), (n, m)), rng.normal(0, 0.3, m)) for n, m in pairs]


def decode(
    z: np.ndarray, network: list[tuple[np.ndarray, np.ndarray]], name: Activation
) -> np.ndarray:
    nonlinear = {
        "tanh": np.tanh,
        "relu": lambda a: np.maximum(a, 0),
        "softplus": lambda a: np.log1p(np.exp(a)),
    }
    for weight, bias in network[:-1]:
        z = nonlinear[name](z @ weight + bias)
    weight, bias = network[-1]
    return 1 / (1 + np.exp(-(z @ weight + bias)))


def payload(html: str) -> dict[str, Any]:
    match = re.search(r'<script type="application/json">(.*?)</script>', html, re.S)
    assert match is not None
    return json.loads(match[1])


def run_decoder(html: str, z: list[float]) -> np.ndarray:
    script = resources.files("vaestudy.report").joinpath("resources/widgets/network.js").read_text()
    context = quickjs.Context()
    data = json.dumps(payload(html))
    context.eval(
        f"{ATOB}{script}const D = {data}; const run = makeDecoder(D.layers, D.activation);"
    )
    return np.array(json.loads(context.eval(f"JSON.stringify(Array.from(run({json.dumps(z)})))")))


@pytest.mark.parametrize("activation", ["softplus", "relu", "tanh"])
def test_the_page_decodes_as_numpy_does(activation: Activation) -> None:
    network = layers(2, 20, 20, 36)
    made = run_decoder(decoder_widget(network, activation, (6, 6)), [0.7, -1.2])
    assert made == pytest.approx(decode(np.array([0.7, -1.2]), network, activation), abs=1e-4)


def test_a_full_decoder_is_small_and_true() -> None:
    network = layers(2, 200, 200, 784)
    rng = np.random.default_rng(1)
    points = {
        "x": rng.normal(size=10_000),
        "y": rng.normal(size=10_000),
        "label": rng.integers(0, 10, 10_000),
    }
    html = decoder_widget(network, "softplus", points=points)
    assert len(html) < 450_000
    made = run_decoder(html, [0.5, 0.5])
    expected = decode(np.array([0.5, 0.5]), network, "softplus")
    assert np.abs(made - expected).max() < 0.03


def test_points_are_unpacked_to_where_they_were() -> None:
    points = np.random.default_rng(0).normal(size=(50, 3))
    labels = np.arange(50) % 10
    packed = payload(latent_scatter_3d(points, labels, [str(k) for k in range(10)]))["points"]
    unpacked = (
        np.frombuffer(base64.b64decode(packed["xyz"]), "<i2").reshape(-1, 3) * packed["scale"]
    )
    assert unpacked == pytest.approx(points - points.mean(axis=0), abs=1e-4)
    assert np.array_equal(np.frombuffer(base64.b64decode(packed["label"]), "u1"), labels)


def test_axes_are_named_as_what_they_are() -> None:
    names = ("PC 1 (20%)", "PC 2 (12%)", "PC 3 (9%)")
    html = latent_scatter_3d(np.zeros((2, 3)), [0, 1], ["a", "b"], names)
    assert payload(html)["axes"] == list(names)
    assert "fillText(D.axes[a]" in html
    assert payload(latent_scatter_3d(np.zeros((1, 3)), [0], ["a"]))["axes"] == ["z₀", "z₁", "z₂"]


def test_nothing_in_the_data_ends_the_script() -> None:
    html = latent_scatter_3d(np.zeros((2, 3)), [0, 1], ["</script><b>", "b"])
    assert html.count("</script>") == 2
    assert payload(html)["names"][0] == "</script><b>"


def test_wrong_shapes_are_told() -> None:
    network = layers(2, 20, 36)
    turned = [(weight.T, bias) for weight, bias in network]
    with pytest.raises(ReportError, match="weights go from input to output"):
        decoder_widget(turned, "tanh", (6, 6))
    with pytest.raises(ReportError, match="gives 36 logits"):
        decoder_widget(network, "tanh", (5, 5))
    with pytest.raises(ReportError, match="must be one of"):
        decoder_widget(network, "elu", (6, 6))  # type: ignore[arg-type]
    with pytest.raises(ReportError, match=r"expected \[N, 3\]"):
        latent_scatter_3d(np.zeros((4, 2)), np.zeros(4), ["a"])
    with pytest.raises(ReportError, match="2 names of axes"):
        latent_scatter_3d(np.zeros((2, 3)), [0, 0], ["a"], ("x", "y"))
    with pytest.raises(ReportError, match="names has 1 entries"):
        latent_scatter_3d(np.zeros((2, 3)), [0, 1], ["a"])
