# The slower measurements, of the runs that the configuration chooses.


# Trained once a data set, on one core, to judge every model's samples.
rule classifier:
    input:
        data=f"{RESULTS}/data/{{dataset}}.safetensors",
        code=sources(
            "classifier.py", "adam.py", "optimizer.py", "binarization.py", "rng.py"
        ),
    output:
        f"{RESULTS}/classifiers/{{dataset}}.safetensors",
    log:
        f"{RESULTS}/logs/classifiers/{{dataset}}.log",
    conda:
        "../../envs/vaestudy.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(2000),
        runtime=30,
    shell:
        "python -m vaestudy classifier --data {input.data} --output {output} --log {log} "
        "--threads {threads}"


rule examine:
    input:
        trained=f"{RESULTS}/groups/{{group}}/trained.json",
        data=lambda wildcards: dataset_of(wildcards.group),
        classifier=lambda wildcards: classifier_of(wildcards.group),
        code=sources(
            "examine.py",
            "slower.py",
            "quality.py",
            "sample_measures.py",
            "evaluate.py",
            "proposals.py",
            "rows.py",
            "annealing.py",
            "hmc.py",
            "ais.py",
            "bdmc.py",
            "posteriors.py",
            "gaps.py",
            "information.py",
            "label_measures.py",
            "inference.py",
            "masks.py",
            "partial.py",
            "classifier.py",
        ),
    output:
        f"{RESULTS}/groups/{{group}}/examination.parquet",
    log:
        f"{RESULTS}/logs/examine/{{group}}.log",
    conda:
        "../../envs/vaestudy.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(3000),
        runtime=examine_minutes,
    params:
        runs=lambda wildcards: parameters_of(wildcards.group),
        examinations=lambda wildcards: json.dumps(EXAMINATIONS[wildcards.group]),
        n_samples=STUDY.evaluation.n_samples,
        classifier=lambda wildcards, input: (
            f"--classifier {input.classifier} " if input.classifier else ""
        ),
    shell:
        "python -m vaestudy examine-group --runs {params.runs:q} "
        "--examinations {params.examinations:q} --data {input.data} {params.classifier}"
        f"--runs-dir {RESULTS}/runs "
        "--output {output} --log {log} --threads {threads} --n-samples {params.n_samples}"
