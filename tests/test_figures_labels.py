"""The chapter on labels and convolutions, on made-up tables whose answers are known."""

from __future__ import annotations

import math
from pathlib import Path

import matplotlib as mpl
import pytest
import torch

from telling import LABELS, SEEDS, VALUES, Pictured, pictured
from vaestudy.claims.judge import judge
from vaestudy.claims.ledger import load_ledger
from vaestudy.figures.families import label_of
from vaestudy.figures.labels import FIGURES
from vaestudy.figures.labels_data import (
    every_class,
    find_pairs,
    find_told,
    name_of,
    side_by_side,
)
from vaestudy.figures.labels_table import (
    labels_table,
    read_asked,
    read_cut,
    read_inferred,
    read_likelihood,
    read_networks,
)
from vaestudy.figures.networks import networks_table, widths
from vaestudy.study import EmptySelectionError, Study
from vaestudy.vae import VAE

mpl.use("Agg")
ROOT = Path(__file__).resolve().parents[1]
SPACE = "\N{NO-BREAK SPACE}"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return pictured(tmp_path_factory.mktemp("study"), VALUES)


def test_models_stand_in_the_order_of_the_text(study: Study) -> None:
    names = [name_of(study, member) for member in find_told(study)]
    assert names == [
        "all labels",
        f"50{SPACE}%, else blank",
        f"10{SPACE}%, else blank",
        f"50{SPACE}%, M2, 2 epochs",
        f"1{SPACE}%, M2, 2 epochs",
    ]


def test_samples_are_compared_at_one_share(study: Study) -> None:
    names = [name_of(study, member) for member in side_by_side(find_told(study))]
    assert names == ["all labels", f"50{SPACE}%, else blank", f"50{SPACE}%, M2, 2 epochs"]
    members = [m for m in find_told(study) if m.first["label_share"] != 0.5]
    shares = [float(m.first["label_share"]) for m in side_by_side(members)]
    assert shares == [1.0, 0.1, 0.01]


def test_names_say_what_a_model_is_told() -> None:
    told = label_of({"labels": "blanked", "label_share": 0.5})
    assert told == f"VAE, 50{SPACE}% of labels, blanks"
    assert label_of({"labels": "condition"}) == "VAE, labels"
    assert label_of({"network": "conv", "k": 1}) == "VAE, convolutional"


def test_the_table_holds_what_was_measured(study: Study) -> None:
    table, data = labels_table(study)
    rows = table.set_index("Labels")
    assert rows.loc["no labels", "$-\\log p(x)$"].startswith("100.20 ±")
    assert rows.loc["no labels", "$-\\log p(x \\mid y)$"] == "–"
    assert rows.loc["all labels", "Means, %"].startswith("95.2 ±")
    assert rows.loc["all labels", "$-\\log p(x)$"] == "–"
    assert rows.loc[f"1{SPACE}%, M2, 2 epochs", "$q(y \\mid x)$, %"].startswith("91.0 ±")
    inferred = data[data["metric"] == "label_accuracy"]
    assert inferred["mean"].tolist() == pytest.approx([0.9 + 0.1 * math.sqrt(0.5), 0.91])
    assert (data["n"] == len(SEEDS)).all()


def test_sentences_follow_the_numbers(study: Study) -> None:
    likelihood = read_likelihood(study)
    assert "telling the label lowers the NLL by 2.00 nats" in likelihood
    # 2.303 nats is what naming the label costs.
    assert "by +0.31 nats [" in likelihood
    asked = read_asked(study)
    assert f"*50{SPACE}%, else blank* lowers that by 15.0" in asked
    assert "91.0 % [" in read_inferred(study)
    # An apostrophe behind a digit is set as a prime.
    assert "2's" not in read_inferred(study)
    assert "the others have 4 epochs" in read_cut(study)
    text = read_networks(study, find_pairs(study)[0])
    assert "they differ by +1.00 %" in text
    assert "lowers the test NLL by 5.02 nats" in text


def test_networks_are_compared_in_pairs(study: Study) -> None:
    table, data = networks_table(study)
    assert table["Network"].tolist() == ["MLP", "convolutional", "difference"]
    assert table["Test NLL"].iloc[2].startswith("−5.02 ±")
    assert table["s/epoch"].tolist()[:2] == ["2.00 ± 0.00", "4.00 ± 0.00"]
    gap = data[(data["network"] == "difference") & (data["metric"] == "squared_error")]
    assert gap["mean"].item() == pytest.approx(-5.02)
    channels, dense = widths(study, find_pairs(study)[0])
    model = study.model(find_pairs(study)[0].conv.first["run_id"])
    assert model.encoder[0][1].bias.shape == (1, channels)
    assert model.heads.weight.shape[1] == dense


@pytest.mark.parametrize("name", FIGURES)
def test_figures_draw_and_say_what_they_show(study: Study, name: str) -> None:
    drawing = FIGURES[name](study)
    drawing.figure.canvas.draw()
    assert len(drawing.data)
    assert set(drawing.runs) <= set(study.table("runs")["run_id"])


def test_a_column_of_samples_has_one_code(study: Study) -> None:
    """A model whose decoder does not listen to the class draws the same picture down a column."""

    class Deaf(Pictured):
        def model(self, run_id: str) -> VAE:
            model = super().model(run_id)
            with torch.no_grad():
                model.decoder[0].weight[:, model.architecture.n_z :] = 0
            return model

    runs = [m.first["run_id"] for m in side_by_side(find_told(study))]
    for run in runs:
        asked = every_class(Deaf(study.config), run, 4)
        assert torch.equal(asked[3], asked[7])
        assert not torch.equal(asked[:, 0], asked[:, 1])
        heard = every_class(study, run, 4)
        assert not torch.equal(heard[3], heard[7])
    data = FIGURES["labels-samples"](study).data
    first = data[data["run_id"] == runs[0]]
    want = every_class(study, runs[0], 6).sum(-1)
    assert first["mean_ink"].tolist() == pytest.approx(want.flatten().tolist(), rel=1e-5)


def test_accuracies_are_drawn_over_shares(study: Study) -> None:
    data = FIGURES["labels-accuracy"](study).data
    inferred = data[data["metric"] == "label_accuracy"]
    assert set(inferred["label_share"]) == {0.5, 0.01}
    assert len(inferred) == 2 * len(SEEDS)


def test_the_claims_are_decided(study: Study) -> None:
    claims = {c.id: c for c in load_ledger(ROOT / "report/claims.yaml").claims}
    for name, verdict in {
        "002.labels-give-clear-digits": "supported",
        "002.labels-make-digits-recognisable": "supported",
        "002.labels-improve-likelihood": "supported",
        "002.convolutions-better": "supported",
    }.items():
        assert judge(claims[name], study).verdict == verdict, name


def test_a_study_of_labels_alone_lacks_only_what_it_would_be_held_against(tmp_path: Path) -> None:
    experiments = {"labels": {"title": "t", "vary": {"labels": LABELS}}}
    study = pictured(tmp_path, {**VALUES, "experiments": experiments})
    table, _ = labels_table(study)
    assert len(table) == len(LABELS)
    assert "no model without labels to hold the others against" in read_likelihood(study)
    drawn = FIGURES["labels-accuracy"](study)
    assert set(drawn.runs) == set(study.table("runs")["run_id"])


def test_a_study_without_them_says_so(tmp_path: Path) -> None:
    experiments = {"base": {"title": "t", "vary": {"n_z": [3]}}}
    study = pictured(tmp_path, {**VALUES, "experiments": experiments})
    for find in (find_told, find_pairs, *FIGURES.values()):
        with pytest.raises(EmptySelectionError):
            find(study)
