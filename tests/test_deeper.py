"""Deeper stochastic layers in runs: parameters, names, files, training steps, measurements."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch

from builders import (
    CPU,
    architecture,
    double_state,
    fresh,
    run_config,
    splits,
)
from vaestudy.checkpoint import load_model, save_model
from vaestudy.config import RunConfig, parse_config, parse_run
from vaestudy.config_errors import ConfigError
from vaestudy.deeper import DeeperLayer
from vaestudy.evaluate import check_evaluating
from vaestudy.figures.families import label_of
from vaestudy.graph import BlockedEpoch
from vaestudy.measure import measure_run
from vaestudy.objectives import NO_BOUNDS
from vaestudy.train import train, train_epoch
from vaestudy.vae import VAE

DEEPER = (DeeperLayer(n_z=2, hidden=(6, 4)), DeeperLayer(n_z=4, hidden=(5,)))
TWO: dict[str, Any] = {"deeper": [{"n_z": 2, "hidden": [6, 4]}]}


def test_a_blocked_epoch_is_an_epoch() -> None:
    """The step that a GPU replays takes the noise of all layers."""
    run = run_config(**TWO, objective="iwae", k=2, epochs=1)
    state = fresh(run)
    data = splits()
    metrics = BlockedEpoch(state, data)(state, data)
    assert metrics.isfinite().all()
    before = fresh(run)
    assert not torch.equal(
        state.model.deeper[0].output.weight, before.model.deeper[0].output.weight
    )
    assert train_epoch(before, data).shape == metrics.shape


def test_a_model_is_its_file_again(tmp_path: Any) -> None:
    run = run_config(**TWO)
    state = train(fresh(run), splits())
    save_model(state.model, 0, run, tmp_path / "m.safetensors")
    loaded, saved = load_model(tmp_path / "m.safetensors")
    assert saved == run
    for name, value in state.model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)


def test_measurements_count_the_units_of_each_layer() -> None:
    run = run_config(**TWO)
    state = train(fresh(run), splits())
    table = measure_run(state.model.eval(), run, splits().test, 4, 1e-6, "never")
    found = table.set_index("metric")["value"]
    assert found["active_units"] == found["active_units_1"] + found["active_units_2"] > 0
    assert math.isfinite(found["nll"])
    single = run_config()
    flat = train(fresh(single), splits())
    metrics = measure_run(flat.model.eval(), single, splits().test, 4, 0.01, "never")["metric"]
    assert "active_units_1" not in set(metrics)


def test_estimators_of_one_latent_space_refuse_several() -> None:
    with pytest.raises(ValueError, match="3 stochastic layers; this estimator expects 1"):
        check_evaluating(VAE(architecture(deeper=DEEPER)).eval())


def test_ids_tables_and_labels_tell_the_layers() -> None:
    run = parse_run({"deeper": [{"n_z": 50, "hidden": [100, 100]}, {"n_z": 5, "hidden": [9]}]})
    assert "-deeper50-5-" in run.run_id
    row = run.model_dump(mode="json")
    assert row["deeper"] == "50(100-100)+5(9)"
    assert RunConfig(**json.loads(run.canonical)) == run == parse_run(row)
    assert label_of(row) == label_of(run.model_dump()) == "VAE, 3 layers"
    assert label_of(RunConfig().model_dump()) == label_of({"deeper": "none"}) == "VAE"
    assert RunConfig(deeper="none") == RunConfig()


WRONG = [
    ({"deeper": "50"}, ["deeper", "got '50'", "[{n_z: 50, hidden: [100, 100]}]"]),
    ({"deeper": [{"n_z": 5}]}, ["deeper.0.hidden", "missing"]),
    ({"deeper": [{"n_z": 5, "hidden": []}]}, ["deeper.0.hidden", "at least one entry"]),
    ({"deeper": [{"n_z": 5, "hiden": [3]}]}, ["deeper.0.hiden", "did you mean hidden?"]),
    ({**TWO, "objective": "dreg", "k": 2}, ["deeper is 2(6-4)", "'dreg'", "leave deeper out"]),
    ({**TWO, "objective": "free-bits", "free_bits": 1}, ["'free-bits'", "closed-form"]),
    *(
        ({**TWO, "objective": name, **own}, [f"'{name}'", "a prior N(0, I)"])
        for name in NO_BOUNDS
        for own in ({"js_skew": 0.5} if name == "geometric-js" else {},)
    ),
    ({**TWO, "objective": "geometric-js", "js_skew": 0.5}, ["'geometric-js'", "take elbo"]),
    (
        {**TWO, "dataset": "ring", "binarization": "none", "likelihood": "normal"},
        ["deeper is 2(6-4)", "dataset is 'ring'", "leave deeper out"],
    ),
]


@pytest.mark.parametrize(("wrong", "parts"), WRONG, ids=str)
def test_what_cannot_be_is_told(wrong: dict[str, Any], parts: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        parse_run(wrong)
    for part in parts:
        assert part in str(error.value)


def test_only_experiments_have_deeper_layers() -> None:
    values = {"study": "s", "seeds": [0], "experiments": {"e": {"title": "t"}}}
    with pytest.raises(ConfigError, match="set deeper in an experiment"):
        parse_config({**values, "base": TWO})
    quality = {"n_samples": 9, "combinations": "all"}
    deep = {"title": "t", "set": TWO}
    config = parse_config(
        {**values, "experiments": {"e": deep}, "evaluation": {"quality": quality}}
    )
    run = RunConfig(**TWO)
    assert config.examination_of(run) is None
    assert config.examination_of(RunConfig()) is not None


def test_the_state_of_one_layer_has_its_old_names() -> None:
    stems = {name.partition(".")[0] for name in VAE(architecture()).state_dict()}
    assert stems == {"encoder", "heads", "decoder", "output"}
    deep, flat = fresh(run_config(**TWO)), fresh(run_config())
    for name, value in flat.model.state_dict().items():
        assert torch.equal(deep.model.state_dict()[name], value), name
    assert double_state(run_config(**TWO)).device == CPU
