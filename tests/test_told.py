"""The small model of VAE++ that is told classes: what its rows say, its codes and pictures."""

from __future__ import annotations

import matplotlib as mpl
import pytest
import torch

from telling import VALUES, pictured
from vaestudy.figures.labels import FIGURES
from vaestudy.figures.told import (
    ALL,
    BLANK,
    HALF,
    INFERRED,
    NONE,
    all_told,
    read_codes,
    read_rebuilt,
    told_codes,
)
from vaestudy.stats import EQUALS
from vaestudy.study import Study

mpl.use("Agg")
_SMALL = {"binarization": "threshold", "activation": "tanh", "adam_eps": 1e-8, "hidden": "6"}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return pictured(tmp_path_factory.mktemp("study"), VALUES)


def test_the_small_model_is_told_what_its_rows_say(study: Study) -> None:
    """Its rows end in the image's label, or in a blank, and in nothing if it is told none."""
    for told, want in ((NONE, None), (ALL, 1.0), (HALF, 1.0), (BLANK, 0.0)):
        shown = told.first(study)
        rows = told.rows(shown)
        assert torch.equal(rows[:, :64], shown.pixels), told.name
        said = rows[:, 64:]
        assert said.shape[1] == (0 if want is None else 10), told.name
        if want is not None:
            assert (said.sum(1) == want).all(), told.name
            assert (said.gather(1, torch.from_numpy(shown.classes)[:, None]) == want).all()


def test_what_m2_is_told_is_what_it_infers(study: Study) -> None:
    assert all_told(study) == [NONE, ALL, HALF, BLANK, INFERRED]
    shown, other = INFERRED.first(study), study.model(INFERRED.runs(study)["run_id"].iloc[1])
    for model in (shown.model, other):
        said = INFERRED.rows(shown, model)[:, 64:]
        with torch.no_grad():
            want = model.classifier(shown.pixels[None])[0].argmax(-1)
        assert torch.equal(said.argmax(1), want)
        assert (said.sum(1) == 1).all()
    # Each seed's model infers its own.
    assert not torch.equal(INFERRED.rows(shown, other), INFERRED.rows(shown))
    assert "M2 needs neither" in read_rebuilt(study)
    assert "per cent where M2 infers it." in read_codes(study)


def test_codes_and_reconstructions_are_of_the_model_that_is_told(study: Study) -> None:
    shown, codes = told_codes(study)
    with torch.no_grad():
        want = shown.model.encode(ALL.rows(shown)[None])[0][0]
    drawn = FIGURES["labels-cloud"](study)
    assert codes == pytest.approx(want.numpy(), abs=1e-6)
    assert drawn.data["z_2"].tolist() == pytest.approx(want[:, 2].tolist(), abs=1e-3)
    ink = FIGURES["labels-rebuilt"](study).data.groupby("row")["mean_intensity"].agg(list)
    assert ink.loc[HALF.name] != ink.loc[BLANK.name]
    assert set(drawn.runs) <= set(study.runs(**_SMALL, labels="condition")["run_id"])


def test_sentences_on_the_small_model(study: Study) -> None:
    rebuilt = read_rebuilt(study)
    assert "Half of the labels lowers the share of samples" in rebuilt
    assert "asked for by 15.0 points" in rebuilt
    assert "  " not in rebuilt + read_codes(study)
    assert f"(n{EQUALS}5) per cent of digits under the model without labels" in read_codes(study)
