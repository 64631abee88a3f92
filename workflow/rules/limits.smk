# What schedulers are told of time and memory, from what each job computes. No rules here.
from vaestudy.dataset_names import PLANE

# Images to train on and to measure, for time limits; 60,000 and 10,000 where nothing is said.
N_TRAIN = {"mnist-5k": 4_000, "fashion-2k": 2_000, **dict.fromkeys(PLANE, 10_000)}
N_TEST = {"mnist-5k": 1_000, "fashion-2k": 500, **dict.fromkeys(PLANE, 2_000)}


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


def megabytes(least):
    """Memory for a job: its data a few times over, which may be one's own and large; then twice."""

    def wanted(wildcards, input, attempt):
        return round(
            (least + 3 * Path(input.data).stat().st_size / 1e6) * 2 ** (attempt - 1)
        )

    return wanted
