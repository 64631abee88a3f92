"""The chapter on labels and convolutions, on made-up tables whose answers are known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
import pytest
import torch

from builders import tiny_dataset
from studies import make_study
from vaestudy.claims.judge import judge
from vaestudy.claims.ledger import load_ledger
from vaestudy.config import RunConfig, expand_grid
from vaestudy.dataset import Dataset
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
from vaestudy.rng import MemberRNG
from vaestudy.stats import EQUALS
from vaestudy.study import EmptySelectionError, Study
from vaestudy.train import architecture_of
from vaestudy.vae import VAE

mpl.use("Agg")
ROOT = Path(__file__).resolve().parents[1]
SEEDS = [0, 1, 2, 3, 4]
_SMALL = {"binarization": "threshold", "activation": "tanh", "adam_eps": 1e-8, "hidden": "6"}
SPACE = "\N{NO-BREAK SPACE}"
LABELS = [
    "condition",
    {"labels": "blanked", "label_share": 0.1},
    {"labels": "blanked", "label_share": 0.5},
    {"labels": "m2", "label_share": 0.5, "epochs": 2},
    {"labels": "m2", "label_share": 0.01, "epochs": 2},
]
SMALL_LABELS = [*LABELS[:3], {"labels": "m2", "label_share": 0.5}]
VALUES: dict[str, Any] = {
    "study": "made-up",
    "base": {"dataset": "mnist", "n_z": 3, "hidden": [20], "epochs": 4},
    "seeds": SEEDS,
    "experiments": {
        "labels": {"title": "t", "vary": {"labels": ["none", *LABELS]}},
        "networks": {
            "title": "t",
            "set": {"dataset": "fashion-mnist", "activation": "elu"},
            "vary": {"network": ["mlp", "conv"]},
        },
        "told-classes": {
            "title": "t",
            "set": {
                "binarization": "threshold",
                "activation": "tanh",
                "adam_eps": 1e-8,
                "hidden": [6],
            },
            "vary": {"labels": ["none", *SMALL_LABELS]},
        },
    },
}


def measure(run: RunConfig) -> dict[str, float]:
    """A label is worth 2 nats; samples of the right class grow with what is told."""
    seed = 0.1 * run.seed
    if run.dataset == "fashion-mnist":
        better = 5.0 + 0.01 * run.seed if run.network == "conv" else 0.0
        return {"nll": 230 + seed - better, "squared_error": 20.0 - better, "active_units": 3.0}
    if run.labels == "none":
        return {"nll": 100 + seed}
    right = {"condition": 0.95, "blanked": 0.8, "m2": 0.9}[run.labels] + 0.001 * run.seed
    found = {"nll_given_label": 98 + seed + 0.01 * (run.seed % 2)}
    found |= {"conditional_accuracy": right - 0.1, "conditional_accuracy_of_means": right}
    if run.labels == "m2":
        found |= {"nll": 101 + seed, "label_accuracy": 0.9 + 0.1 * math.sqrt(run.label_share)}
    return found


@dataclass(frozen=True)
class Pictured(Study):
    """A study whose models are untrained and whose images are made up."""

    def model(self, run_id: str) -> VAE:
        run = next(r.config for r in expand_grid(self.config) if r.config.run_id == run_id)
        model = VAE(architecture_of(run, 64, 10))
        model.initialize(MemberRNG((run.seed,), torch.device("cpu")).generators("init"))
        return model.eval()

    def dataset_named(self, name: str) -> Dataset:
        return tiny_dataset(side=8)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return pictured(tmp_path_factory.mktemp("study"), VALUES)


def pictured(folder: Path, values: dict[str, Any]) -> Study:
    made = make_study(folder, values, measure)
    tables = made.config.directory / "tables"
    runs = pd.read_parquet(tables / "runs.parquet")
    conv = (runs["network"] == "conv").astype(int)
    runs.assign(n_parameters=10_000 + 100 * conv).to_parquet(tables / "runs.parquet")
    timing = runs[["run_id"]].assign(train_seconds=8.0 * (1 + conv), members=1, epochs_timed=4)
    timing.to_parquet(tables / "timing.parquet")
    return Pictured(made.config)


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
    assert drawn.data["z_3"].tolist() == pytest.approx(want[:, 2].tolist(), abs=1e-3)
    ink = FIGURES["labels-rebuilt"](study).data.groupby("row")["mean_intensity"].agg(list)
    assert ink.loc[HALF.name] != ink.loc[BLANK.name]
    assert set(drawn.runs) <= set(study.runs(**_SMALL, labels="condition")["run_id"])


def test_sentences_on_the_small_model(study: Study) -> None:
    rebuilt = read_rebuilt(study)
    assert "Half of the labels lowers the share of samples" in rebuilt
    assert "asked for by 15.0 points" in rebuilt
    assert "  " not in rebuilt + read_codes(study)
    assert f"(n{EQUALS}5) per cent of digits under the model without labels" in read_codes(study)


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
