"""Where ``vaestudy fit`` writes, tried before the work; and what its page says of use."""

from __future__ import annotations

import errno
import re
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from test_fit_cli import fit
from vaestudy import VAE
from vaestudy.cli.options import results_in
from vaestudy.figures.style import style
from vaestudy.files import require_writable
from vaestudy.fit.pictures import feature_reconstructions


def in_the_way(place: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A path at which no directory for results can be."""
    (folder / "taken").write_text("a file")
    if place == "unwritable":
        # As for a user; an administrator may write anywhere.
        def refuse(dir: Path) -> None:
            raise PermissionError(errno.EACCES, "Permission denied", str(dir))

        monkeypatch.setattr("vaestudy.files.TemporaryFile", refuse)
    return {"file": folder / "taken", "beneath": folder / "taken" / "out"}.get(place, folder / "x")


@pytest.mark.parametrize(
    ("place", "why"),
    [("file", "it is a file"), ("beneath", "Not a directory"), ("unwritable", "Permission denied")],
)
def test_no_fit_is_lost_to_an_output_that_cannot_be_written(
    tmp_path: Path, place: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = in_the_way(place, tmp_path, monkeypatch)
    # Before the data are looked for, and so before training.
    result = fit(tmp_path / "absent.csv", out)
    assert result.exit_code == 1
    assert f"no results can be written to {out}: {why}; expected a directory" in result.stderr
    assert "Traceback" not in result.output
    assert "absent" not in result.stderr


def test_a_directory_for_results_is_made_and_left_clean(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    require_writable(out)
    require_writable(out)
    assert list(out.iterdir()) == []


def test_a_refused_fit_leaves_no_directory_behind(tmp_path: Path) -> None:
    assert fit(tmp_path / "absent.csv", tmp_path / "new" / "out").exit_code == 1
    assert not (tmp_path / "new").exists()
    (tmp_path / "mine").mkdir()
    assert fit(tmp_path / "absent.csv", tmp_path / "mine" / "out").exit_code == 1
    assert list((tmp_path / "mine").iterdir()) == []


def test_what_an_interrupted_fit_wrote_stays(tmp_path: Path) -> None:
    def interrupted(out: Path, name: str) -> None:
        with results_in(out):
            if name:
                (out / name).write_text("")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted(tmp_path / "new" / "out", "")
    assert not (tmp_path / "new").exists()
    with pytest.raises(KeyboardInterrupt):
        interrupted(tmp_path / "new" / "out", "model")
    assert (tmp_path / "new" / "out" / "model").exists()


def prepared(out: Path) -> str:
    """Return what a page says of how rows are given to the model."""
    page = (out / "report.html").read_text(encoding="utf-8")
    return unescape(page.split("<h2>Using the model</h2>")[1].split("<pre>")[0])


def test_the_page_says_how_rows_are_prepared(tmp_path: Path) -> None:
    table = pd.DataFrame({"x": np.arange(40.0), "kind": ["a", "b"] * 20})
    table.to_csv(tmp_path / "x.csv", index=False)
    assert fit(tmp_path / "x.csv", tmp_path / "text").exit_code == 0
    model = VAE.load(tmp_path / "text" / "model.safetensors")
    said = prepared(tmp_path / "text").split("<code>")[-1].split("</code>")[0]
    names = {"pd": pd, "t": table[:3], "model": model}
    exec(said, names)
    codes = pd.read_csv(tmp_path / "text" / "embedding.csv")[["z0", "z1"]][:3]
    np.testing.assert_allclose(model.transform(names["X"]), codes, rtol=1e-6)
    with pytest.raises(ValueError, match=r"get_dummies\(X, prefix_sep='=', dtype=float\)"):
        model.transform(table)

    table[["x"]].to_csv(tmp_path / "x.csv", index=False)
    assert fit(tmp_path / "x.csv", tmp_path / "numbers").exit_code == 0
    assert "get_dummies" not in prepared(tmp_path / "numbers")

    for kind in (np.uint8, np.float64):
        images = np.random.default_rng(0).integers(0, 256, (40, 4, 4)).astype(kind)
        np.save(tmp_path / "x.npy", images)
        assert fit(tmp_path / "x.npy", tmp_path / kind.__name__).exit_code == 0
    assert "4 × 4, a row each, intensities 0..255 divided by 255." in prepared(tmp_path / "uint8")
    assert "divided" not in prepared(tmp_path / "float64")


def test_a_fit_says_what_it_replaces(tmp_path: Path) -> None:
    pd.DataFrame({"x": np.arange(40.0)}).to_csv(tmp_path / "x.csv", index=False)
    first, second = (fit(tmp_path / "x.csv", tmp_path / "out") for _ in range(2))
    said = f"replaces the model of an earlier fit in {tmp_path / 'out'}"
    assert said not in first.stderr
    assert said in second.stderr


def test_what_reconstructions_keep_stands_outside_the_panels() -> None:
    style()
    data = np.random.default_rng(0).normal(size=(50, 2))
    figure = feature_reconstructions(data, 0.5 * data, ["a", "b"])
    for panel in figure.axes:
        assert re.fullmatch(r"[ab]\nR² 0\.\d\d", panel.get_title(loc="left"))
        assert len(panel.texts) == 0
