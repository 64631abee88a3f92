"""Finished runs examined by the slower estimators: which rows a run and a group get.

The estimators, and what their rows say, stand in :mod:`vaestudy.slower`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from vaestudy.checkpoint import load_run
from vaestudy.classifier import Classifier, ClassifierError, load_classifier
from vaestudy.config import RunConfig
from vaestudy.data import Dataset
from vaestudy.examination import Examination
from vaestudy.quality import Judge, make_judge
from vaestudy.rows import COLUMNS, Row, rows_table
from vaestudy.run_files import RunFiles, read_record
from vaestudy.slower import anneal, ask_for_classes, find_gaps, infer_halves, inform, judge_samples
from vaestudy.splits import test_pixels
from vaestudy.vae import VAE

log = logging.getLogger(__name__)


def examine_run(
    model: VAE,
    run: RunConfig,
    test: Float[Tensor, "T D"],
    examination: Examination,
    n_samples: int,
    judge: Judge | None = None,
    classifier: Classifier | None = None,
    image_shape: tuple[int, int] = (28, 28),
) -> pd.DataFrame:
    """Return the rows, columns ``rows.COLUMNS``, of all that ``examination`` asks for.

    Raises
    ------
    ValueError
        If it asks for sample quality and there is no judge, or for classes and no classifier.
    """
    rows: list[Row] = []
    if examination.ais is not None:
        annealed, found = anneal(model, run, test, examination.ais, n_samples)
        rows += found
        if examination.gaps is not None:
            rows += find_gaps(model, run, test, examination.gaps, annealed)
    if examination.information is not None:
        rows += inform(model, run, test, examination.information)
    if examination.quality is not None:
        if judge is None:
            raise ValueError("judge is None, but quality is asked for; give one of make_judge")
        rows += judge_samples(model, run, judge, examination.quality)
    if examination.conditional is not None:
        if classifier is None:
            raise ValueError("classifier is None, but classes are asked for; give a trained one")
        rows += ask_for_classes(model, run, classifier, examination.conditional)
    if examination.missing is not None:
        rows += infer_halves(model, run, test, image_shape, examination.missing)
    return rows_table(run, rows)


def examine_group(
    runs: Sequence[RunConfig],
    examinations: Mapping[str, Examination],
    dataset: Dataset,
    runs_dir: Path,
    *,
    classifier: Path | None,
    n_samples: int,
    device: torch.device,
) -> pd.DataFrame:
    """Examine the runs of a group that ``examinations`` names; a diverged run has no rows.

    Parameters
    ----------
    runs
        The group.
    examinations
        By run id, what a run is examined for; runs that it lacks are left out.
    dataset
        Their data.
    runs_dir
        Where runs keep their files.
    classifier
        Trained on the data set; needed for sample quality.
    n_samples
        Importance samples an image of the plain estimate beside the annealed one.
    device
        Where to compute.

    Raises
    ------
    ClassifierError
        If sample quality is asked for without a classifier, or it was trained on other data.
    """

    @cache
    def classifying() -> Classifier:
        if classifier is None:
            raise ClassifierError(
                "quality or classes are asked for, but there is no classifier; give --classifier "
                "a file that `vaestudy classifier` made"
            )
        return load_classifier(classifier, dataset)[0].to(device)

    @cache
    def judge(binarization: str, n: int) -> Judge:
        return make_judge(classifying(), dataset, binarization, n, device)

    tables = []
    for run in runs:
        files, wanted = RunFiles(runs_dir / run.run_id), examinations.get(run.run_id)
        if wanted is None or read_record(files)["status"] == "diverged":
            log.info("%s is not examined", run.run_id)
            continue
        test = test_pixels(dataset, run.binarization).to(device)
        judging = judge(run.binarization, wanted.quality.n_samples) if wanted.quality else None
        model = load_run(files, run, device)
        naming = classifying() if wanted.conditional else None
        shape = dataset.image_shape
        tables.append(examine_run(model, run, test, wanted, n_samples, judging, naming, shape))
        log.info("%s\n%s", run.run_id, tables[-1].drop(columns="run_id").to_string(index=False))
    return _join(tables)


def _join(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    found = list(tables)
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=list(COLUMNS))
