# From the configuration to runs, groups and targets. No rules here.
import json
import os
import re
import shlex
from collections import defaultdict
from difflib import get_close_matches

from snakemake.logging import logger
from vaestudy.config import ConfigError, expand_grid, parse_config
from vaestudy.config_errors import DataError
from vaestudy.groups import study_groups
from vaestudy.engine import ENGINE_FILES, engine_fingerprint
from vaestudy.run_files import RunFiles


def stop(message):
    """End with one message, free of the file names and lines that an exception would add."""
    logger.error(f"error: {message}")
    sys.exit(1)


def hint_for(problem):
    """What a command line has to do with a problem of the configuration, if anything."""
    if "not text" in problem:
        return (
            "\nWhat --config has inside lists and mappings is text; write numbers there into a "
            "file, and give it after the study's: --configfile STUDY.yaml FILE.yaml"
        )
    if only := re.search(r"^ *only: got '([^']*)'", problem, re.MULTILINE):
        return f"\nOne experiment makes a list, too: --config 'only=[{only[1]}]'"
    return ""


def results_anywhere(study, source):
    """The study with a whole path to its results, for what runs in the checkout and not here."""
    if Path.cwd() == ROOT:
        return study
    results = Path(study.results_dir).absolute().as_posix()
    return parse_config({**config, "results_dir": results}, source)


GIVEN = ", ".join(map(str, workflow.configfiles)) or "--config"
if "study" not in config:
    stop(
        f"{GIVEN} names no study; expected `study: NAME`, as a --configfile stands alone. A file "
        "that changes a study comes after the study's: --configfile config.yaml FILE.yaml"
    )
try:
    STUDY = parse_config(config, GIVEN)
    ANYWHERE = results_anywhere(STUDY, f"{GIVEN}, run in {Path.cwd()}")
    if STUDY.own_data and workflow.is_main_process:
        from vaestudy.own_dataset import check_own_data

        check_own_data(STUDY)
except (ConfigError, DataError) as error:
    stop(f"{error}{hint_for(str(error))}")

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
    "VAESTUDY_CHECKOUT": ROOT.as_posix(),
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

DATASETS = list(dict.fromkeys(run.config.dataset for run in RUNS.values()))
NOTEBOOKS = {
    path.stem: path for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]-*.py"))
}
if not NOTEBOOKS:
    stop(
        f"there is no chapter in {ROOT / 'notebooks'}; expected files such as 01-introduction.py: "
        "take the workflow from a whole checkout"
    )
CHAPTERS = [name for name in NOTEBOOKS if STUDY.has_chapter(name)]
# What chapters read beside the tables: published figures, and results kept with the code.
KEPT = {
    chapter: [here(name) for name in names if (ROOT / name).exists()]
    for chapter, names in {
        "published": ("report/published.yaml", "docs/results/burda.csv"),
        "claims": ("docs/results/claims.csv",),
        "introduction": ("docs/results/claims.csv",),
    }.items()
}


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
    """The file of the data that the group's runs are trained on."""
    known(group_id, GROUPS, "group")
    return f"{RESULTS}/data/{GROUPS[group_id].runs[0].dataset}.safetensors"


def data_to_train(group_id):
    """The same for training, which is done again if the files of a run have gone since.

    No file that rules declare tells of this, and a parameter that did would be another one when
    the run is there again: so training is forced, as by --forcerun.
    """
    data, trained = dataset_of(group_id), f"{RESULTS}/groups/{group_id}/trained.json"
    gone = [run.run_id for run in GROUPS[group_id].runs if not is_kept(run.run_id)]
    if gone and Path(trained).exists() and workflow.is_main_process:
        logger.info(f"Trained again, as its files have gone: {', '.join(gone)}")
        workflow.dag.forcefiles.add(trained)
    return data


def is_kept(run_id):
    """Whether a run has its record and its model."""
    files = RunFiles(Path(RESULTS, "runs", run_id))
    return files.record.exists() and files.model.exists()


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
    known(name, NOTEBOOKS, "chapter")


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


def gives_gpus():
    """Whether jobs are given GPUs, as by the profiles gpu and slurm-gpu."""
    set_for_rules = workflow.resource_settings.overwrite_resources.values()
    names = {
        name for one in (workflow.global_resources, *set_for_rules) for name in one
    }
    return bool(names & {"gpu", "gpus", "gres"})


if workflow.is_main_process:
    logger.info(summary())
    if gives_gpus() and STUDY.device != "cuda":
        logger.warning(
            f"warning: jobs are given GPUs, but the study has device {STUDY.device!r}, expected "
            f"'cuda', and up to {STUDY.max_members} of a model's seeds a job. --config on the "
            "command line replaces the profile's list: say there what that has as well, "
            "--config device=cuda max_members=16 …"
        )
