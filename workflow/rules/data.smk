# Data sets: fetched once, verified, kept as one file.


localrules:
    dataset,


rule dataset:
    input:
        own=lambda wildcards: own_file_of(wildcards.dataset),
        code=sources(
            "data.py",
            "dataset.py",
            "idx.py",
            "subset.py",
            "toys.py",
            "own_dataset.py",
            "own_values.py",
            "estimator/support.py",
            "fit/columns.py",
            "fit/files.py",
            "fit/texts.py",
        ),
    output:
        f"{RESULTS}/data/{{dataset}}.safetensors",
    log:
        f"{RESULTS}/logs/data/{{dataset}}.log",
    conda:
        "../../envs/vaestudy.yaml"
    params:
        own=lambda wildcards: own_data_of(wildcards.dataset),
    shell:
        "python -m vaestudy data {wildcards.dataset} --output {output} "
        "{params.own} > {log} 2>&1"
