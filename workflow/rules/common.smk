# From the configuration to runs, groups and targets. No rules here.
import json
import os
import shlex
import sys
from collections import defaultdict
from difflib import get_close_matches
from pathlib import Path

# The package of this checkout serves the workflow and its jobs, installed or not.
SOURCE = (
    Path(workflow.current_basedir.get_path_or_uri(False)).resolve().parents[1] / "src"
)
sys.path.insert(0, SOURCE.as_posix())

from snakemake.logging import logger
from vaestudy.config import ConfigError, expand_grid, parse_config
from vaestudy.config_errors import DataError
from vaestudy.groups import study_groups
from vaestudy.engine import ENGINE_FILES, engine_fingerprint
from vaestudy.dataset_names import PLANE


def stop(message):
    """End with one message, free of the file names and lines that an exception would add."""
    logger.error(f"error: {message}")
    sys.exit(1)


try:
    STUDY = parse_config(config, source=", ".join(map(str, workflow.configfiles)))
    if STUDY.own_data and workflow.is_main_process:
        from vaestudy.own_dataset import check_own_data

        check_own_data(STUDY)
except (ConfigError, DataError) as error:
    hint = "\nWhat --config has inside lists and mappings is text; write numbers there into a file, "
    hint += "and give it after the study's: --configfile STUDY.yaml FILE.yaml"
    stop(f"{error}{hint}" if "not text" in str(error) else error)

# How a job runs and where it finds data, not what it computes, travels in environment variables:
# a change of these reruns nothing, as one of a rule's parameters would.
SETTINGS = {
    "PYTHONPATH": os.pathsep.join(
        [SOURCE.as_posix(), *filter(None, [os.getenv("PYTHONPATH")])]
    ),
    "VAESTUDY_DEVICE": STUDY.device,
    "VAESTUDY_CHECKPOINT_EVERY": STUDY.checkpoint_every,
    "VAESTUDY_COMPILE": STUDY.compile,
    "VAESTUDY_DATA": os.getenv("VAESTUDY_DATA") or STUDY.data_dir,
}
EXPORTS = " ".join(
    f"{name}={shlex.quote(str(value))}" for name, value in SETTINGS.items()
)
# Snakemake formats it, and a folder's name may hold braces.
shell.prefix(
    f"set -euo pipefail; export {EXPORTS}; ".replace("{", "{{").replace("}", "}}")
)

RESULTS = STUDY.directory.as_posix()
RUNS = {run.config.run_id: run for run in expand_grid(STUDY)}
GROUPS = {group.group_id: group for group in study_groups(STUDY, list(RUNS.values()))}
GROUP_OF = {run.run_id: name for name, group in GROUPS.items() for run in group.runs}
# What of the slower measurements each group takes part in: by run, as JSON.
EXAMINATIONS = {
    name: {
        run.run_id: wanted.model_dump(mode="json")
        for run in group.runs
        if (wanted := STUDY.examination_of(run)) is not None
    }
    for name, group in GROUPS.items()
}
EXAMINED = [name for name, wanted in EXAMINATIONS.items() if wanted]
COMBINATIONS, EXPERIMENTS = defaultdict(list), defaultdict(list)
for run_id, run in RUNS.items():
    COMBINATIONS[run.config.combination_id].append(run_id)
    for experiment in run.experiments:
        EXPERIMENTS[experiment].append(run_id)

# Images to train on and to measure, for time limits; 60,000 and 10,000 where nothing is said.
N_TRAIN = {"mnist-5k": 4_000, "fashion-2k": 2_000, **dict.fromkeys(PLANE, 10_000)}
N_TEST = {"mnist-5k": 1_000, "fashion-2k": 500, **dict.fromkeys(PLANE, 2_000)}
DATASETS = list(dict.fromkeys(run.config.dataset for run in RUNS.values()))
ALL_CHAPTERS = [path.stem for path in sorted(Path("notebooks").glob("[0-9][0-9]-*.py"))]
CHAPTERS = [name for name in ALL_CHAPTERS if STUDY.has_chapter(name)]
# What chapters read beside the tables: published figures, and results kept with the code.
KEPT = {
    chapter: [name for name in names if Path(name).exists()]
    for chapter, names in {
        "published": ("report/published.yaml", "docs/results/burda.csv"),
        "claims": ("docs/results/claims.csv",),
    }.items()
}

PACKAGE = SOURCE / "vaestudy"
if PACKAGE.is_relative_to(Path.cwd()):
    PACKAGE = PACKAGE.relative_to(Path.cwd())


def sources(*names):
    """Files of the package as inputs: an edit reruns what depends on them, a touch does not."""
    return [(PACKAGE / name).as_posix() for name in names]


def package(folder, names="*.py"):
    """All source files of a subpackage, or its other files by a pattern of names."""
    found = sorted((PACKAGE / folder).rglob(names))
    return [path.as_posix() for path in found if path.is_file()]


def parameters_of(group_id):
    """The group's runs as one JSON argument: all that training depends on."""
    return json.dumps([run.model_dump(mode="json") for run in GROUPS[group_id].runs])


def log_steps_of(group_id):
    """Of how many first steps of the group's models each is logged: what an experiment asks for."""
    return max(
        STUDY.log_steps_of(RUNS[run.run_id].experiments)
        for run in GROUPS[group_id].runs
    )


def further_of(group_id):
    """What is measured besides of those of the group's models whose experiments ask, as JSON."""
    wanted = {
        run.run_id: STUDY.further_of(RUNS[run.run_id].experiments).model_dump(
            exclude_defaults=True
        )
        for run in GROUPS[group_id].runs
    }
    return json.dumps(
        {run_id: further for run_id, further in wanted.items() if further}
    )


def own_file_of(dataset):
    """The file that a data set of the user's is read from, if it is one."""
    own = STUDY.own_data.get(dataset)
    path = Path(own.path).expanduser() if own else None
    return [path.as_posix()] if path is not None and path.is_file() else []


def own_data_of(dataset):
    """What is said of a data set of the user's, as an argument."""
    own = STUDY.own_data.get(dataset)
    return f"--own {shlex.quote(own.model_dump_json())}" if own else ""


def dataset_of(group_id):
    return f"{RESULTS}/data/{GROUPS[group_id].runs[0].dataset}.safetensors"


def classifier_of(group_id):
    """The classifier that judges the group's samples, if any are judged."""
    judged = EXAMINATIONS[group_id].values()
    if not any(wanted["quality"] or wanted["conditional"] for wanted in judged):
        return []
    return f"{RESULTS}/classifiers/{GROUPS[group_id].runs[0].dataset}.safetensors"


def measurements_of(run_id):
    """The files that hold a run's measurements."""
    known(run_id, RUNS, "run")
    group = f"{RESULTS}/groups/{GROUP_OF[run_id]}"
    examined = STUDY.examination_of(RUNS[run_id].config) is not None
    return [f"{group}/evaluation.parquet"] + (
        [f"{group}/examination.parquet"] if examined else []
    )


def evaluations(named, name, kind):
    """The measurements of all runs of one combination or experiment."""
    known(name, named, kind)
    files = [path for run_id in named[name] for path in measurements_of(run_id)]
    return list(dict.fromkeys(files))


def figure_inputs(wildcards):
    """The tables; an unknown figure stops the workflow here, before anything is trained for it."""
    from vaestudy.figures import FIGURES

    known(wildcards.figure, FIGURES, "figure")
    return tables_for(wildcards.figure.startswith("claims"))


def tables_for(claims):
    """The tables, the verdicts among them or not."""
    return list(rules.tables.output) + (list(rules.claims.output) if claims else [])


def classifier_for(wanted):
    """The classifier of the base model's data, if digits of a decoded plane are to be named by it."""
    planes = any(
        run.config.n_z == 2 and run.config.hidden == (512, 384, 256)
        for run in RUNS.values()
    )
    path = f"{RESULTS}/classifiers/{STUDY.base.dataset}.safetensors"
    return path if wanted and planes else []


def known(name, names, kind, shown=20):
    """Stop if there is no such thing, and say what there is."""
    if name in names:
        return
    close = get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    there = ", ".join(list(names)[:shown])
    stop(f"no {kind} {name!r} in study {STUDY.study!r}; {hint}There are: {there}{more}")


for name in STUDY.report.chapters or ():
    known(name, ALL_CHAPTERS, "chapter")


def train_minutes(wildcards, attempt):
    """A generous time limit for schedulers; a job that hits it goes on from its checkpoint."""
    runs = GROUPS[wildcards.group].runs
    images = N_TRAIN.get(runs[0].dataset, 60_000)
    passes = sum(run.epochs * images * run.k * costs(run) for run in runs)
    return minutes(passes, attempt)


def costs(run):
    """How much longer than the perceptron's a pass takes: under every label; by convolutions."""
    return (10 if run.labels == "m2" else 1) * (4 if run.network == "conv" else 1)


def evaluate_minutes(wildcards, attempt):
    """The same for measurements, most of whose time goes into log p(x)."""
    runs = GROUPS[wildcards.group].runs
    images = N_TEST.get(runs[0].dataset, 10_000)
    passes = sum(
        images * STUDY.evaluation.n_samples * measurements(run) + gradient_passes(run)
        for run in runs
    )
    return minutes(passes, attempt)


def gradient_passes(run):
    """Images through the networks for the run's gradients, each about three passes of a batch."""
    further = STUDY.further_of(RUNS[run.run_id].experiments)
    return 3 * further.gradient_draws * run.batch_size * run.k


def measurements(run):
    """How many times a perceptron's: with and without some labels; by convolutions."""
    return (2 if run.labels in ("blanked", "m2") else 1) * (
        4 if run.network == "conv" else 1
    )


def examine_minutes(wildcards, attempt):
    """The same for slower measurements, nearly all of whose time goes into annealing and gaps."""
    passes = 0
    for wanted in EXAMINATIONS[wildcards.group].values():
        if ais := wanted["ais"]:
            # Forward and back through the decoder; data, simulated data there and back; pilots.
            steps = 2 * ais["n_temperatures"] * ais["n_leapfrog"]
            passes += steps * ais["n_images"] * (3 * ais["n_chains"] + 4)
        if gaps := wanted["gaps"]:
            passes += gaps["n_images"] * (2 * gaps["n_samples"] + 100_000)
        if missing := wanted["missing"]:
            # Two passes of every sample by each of three methods; searches from four starts.
            passes += missing["n_images"] * (6 * missing["n_samples"] + 50_000)
        if quality := wanted["quality"]:
            passes += 200 * quality["n_samples"]
    return minutes(passes, attempt)


def minutes(passes, attempt):
    """Time for so many passes through a network on one core, at an unhurried 17,000 a second."""
    return round((10 + passes / 1e6) * 2 ** (attempt - 1))


def is_trained(run_id):
    """Whether the present engine has trained the run: a look at its record, without importing torch."""
    record = Path(RESULTS, "runs", run_id, "record.json")
    return (
        record.exists()
        and json.loads(record.read_text())["engine"] == engine_fingerprint()
    )


def summary():
    """What the study comes to, in one line for dry runs and real ones."""
    largest = max(len(group.runs) for group in GROUPS.values())
    size = f" of up to {largest} models" if largest > 1 else ""
    return (
        f"Study {STUDY.study!r}: {len(RUNS)} models, {sum(map(is_trained, RUNS))} of them trained, "
        f"in {len(GROUPS)} training jobs{size}; {len(EXPERIMENTS)} experiments; "
        f"results in {RESULTS}/"
    )


if workflow.is_main_process:
    logger.info(summary())
