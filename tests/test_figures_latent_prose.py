"""What the chapter on the latent space says of what is drawn."""

from __future__ import annotations

import pandas as pd

from vaestudy.figures.codes import Family
from vaestudy.figures.latent_prose import read_groups, read_neighbours, read_path, read_planes, span


def test_a_range_whose_ends_look_alike_is_one_number() -> None:
    assert span([79.6, 80.4]) == "80"
    assert span(pd.Series([79.6, 82.1])) == "80 to 82"


def test_only_latent_spaces_that_are_drawn_are_named() -> None:
    base, plane = Family("VAE", {}, 0), Family("VAE, $n_z = 2$", {"n_z": 2}, 3)
    wide = Family("VAE, $n_z = 200$", {"n_z": 200}, 3)
    told = "additions to the base model ($n_z = 50$, Bernoulli); latent spaces of 2"
    assert read_groups([base, plane], 50) == f"{told} dimensions"
    assert read_groups([base, plane, wide], 50) == f"{told} and 200 dimensions"


def test_the_best_is_told_of_the_family_that_is_told_of() -> None:
    rows = [
        (family, n_z, seed, accuracy + 0.01 * seed)
        for family, better in (("VAE", 0.0), ("IWAE", 0.05))
        for n_z, accuracy in ((2, 0.6 + better), (50, 0.9 + better))
        for seed in (0, 1)
    ]
    near = pd.DataFrame(rows, columns=["family", "n_z", "seed", "accuracy"])
    told = read_neighbours(near, [2, 50], 0.85)
    assert "In the plane the VAE reaches 60.5 % [54.1, 66.9]" in told
    assert "against them the VAE's best mean differs by +5.5 [\N{MINUS SIGN}0.9, +11.9]" in told
    ends = read_neighbours(
        near.assign(accuracy=near["accuracy"].where(near["seed"] == 0, 1)), [2], 1
    )
    # t(0.975, 1) / sqrt(2) of 0.28 is 2.5: cut at both ends.
    assert "80.0 % [0.0, 100.0]" in ends


def test_numbers_of_pictures_are_told_of_the_models_drawn() -> None:
    panels = [("around 0", 8.0, 1.0), ("around a digit", 4.0, 1.0), ("least", 0.001, 0.0)]
    columns = ["label", "panel", "squared_change", "activity_x", "activity_y"]
    rows = [("VAE", panel, change, activity, activity) for panel, change, activity in panels]
    assert read_planes(pd.DataFrame(rows, columns=columns), 0.01).startswith("In the models drawn")
    path = pd.DataFrame(
        {
            "share": [0.0, 0.5, 1.0],
            "greyness": [30.0, 35.0, 30.0],
            "greyness_faded": [30.0, 60.0, 30.0],
            "norm_z": [4.0, 3.0, 4.0],
        }
    )
    assert "on average over the lines drawn" in read_path(path, 7)
