"""``vaestudy fit``: a model of the user's own data."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from vaestudy.cli.options import (
    Device,
    Threads,
    assignments,
    plain_errors,
    results_in,
    start_job,
)


@plain_errors
def fit(
    data: Annotated[
        Path, typer.Argument(help="A .csv, .tsv, .parquet or .npy file, or a folder of images.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Directory for the results.")],
    latent: Annotated[int, typer.Option(min=1, help="Latent dimensions.")] = 2,
    likelihood: Annotated[
        str,
        typer.Option(
            help="auto (by the data), bernoulli, continuous-bernoulli, beta, normal, "
            "squared-error, gaussian."
        ),
    ] = "auto",
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the data, at most.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Determines every random number.")] = 0,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PARAMETER=VALUE",
            help="Another parameter of vaestudy.VAE, such as beta=4, 'hidden=[50, 50]', or "
            "objective=ciwae with k=5 and elbo_share=0.5; may be repeated. `python -m pydoc "
            "vaestudy.VAE` lists them.",
        ),
    ] = None,
    color: Annotated[
        str | None, typer.Option(help="Column that is not fitted but colours the embedding.")
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option(help="Column to leave out; may be repeated.")
    ] = None,
    drop_missing: Annotated[
        bool, typer.Option("--drop-missing", help="Leave out rows with missing values.")
    ] = False,
    size: Annotated[
        int | None, typer.Option(min=2, help="Resize images to so many pixels a side.")
    ] = None,
    device: Device = "auto",
    threads: Threads = 1,
) -> None:
    """Fit a model to your own data.

    Writes model.safetensors (read it with vaestudy.VAE.load), model.json, embedding.csv and
    .parquet, history.csv and report.html. Columns of text become one column of 0 and 1 a category;
    a .npy file is streamed if it is large.

    vaestudy fit data.csv --latent 2 --color species -o out
    """
    from vaestudy.fit import job
    from vaestudy.fit.choices import Choices
    from vaestudy.fit.files import read

    say = partial(typer.echo, err=True)
    choices = Choices(color, tuple(drop or ()), drop_missing, size)
    parameters = {
        "n_z": latent,
        "likelihood": likelihood,
        "epochs": epochs,
        "random_state": seed,
        "verbose": True,
        **assignments(set_ or []),
    }
    with results_in(output):
        table = read(data, choices)
        for remark in table.remarks:
            say(remark)
        if (output / job.FACTS).is_file():
            say(f"replaces the model of an earlier fit in {output}")
        chosen = start_job(device, threads)
        typer.echo(job.fit_table(data, table, output, parameters, chosen, say))
