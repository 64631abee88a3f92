# Data sets: fetched once, verified, kept as one file.


localrules:
    dataset,


rule dataset:
    input:
        sources("data.py", "dataset.py", "idx.py", "subset.py"),
    output:
        f"{RESULTS}/data/{{dataset}}.safetensors",
    log:
        f"{RESULTS}/logs/data/{{dataset}}.log",
    conda:
        "../../envs/vaestudy.yaml"
    params:
        root=STUDY.data_dir,
    shell:
        "python -m vaestudy data {wildcards.dataset} --root {params.root:q} --output {output} > {log} 2>&1"
