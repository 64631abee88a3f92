# Trained models measured on the test set.


rule evaluate:
    input:
        trained=f"{RESULTS}/groups/{{group}}/trained.json",
        data=lambda wildcards: dataset_of(wildcards.group),
        code=sources(
            "evaluate.py",
            "measure.py",
            "measure_further.py",
            "packing.py",
            "proposals.py",
            "rows.py",
            "gradients.py",
            "information.py",
            "components.py",
            "label_measures.py",
            "layer_activity.py",
            "plane.py",
            "latent_plane.py",
            "classifier.py",
        ),
    output:
        f"{RESULTS}/groups/{{group}}/evaluation.parquet",
    log:
        f"{RESULTS}/logs/evaluate/{{group}}.log",
    conda:
        "../../envs/vaestudy.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(2000),
        runtime=evaluate_minutes,
    params:
        runs=lambda wildcards: parameters_of(wildcards.group),
        n_samples=STUDY.evaluation.n_samples,
        threshold=STUDY.evaluation.activity_threshold,
        further=lambda wildcards: further_of(wildcards.group),
    shell:
        "python -m vaestudy evaluate-group --runs {params.runs:q} --data {input.data} "
        f"--runs-dir {RESULTS}/runs "
        "--output {output} --log {log} --threads {threads} "
        "--n-samples {params.n_samples} --threshold {params.threshold} "
        "--further {params.further:q}"
