# One job a group. Its declared output is written when every member is trained; models, histories
# and checkpoints are kept beside it, run by run, where an interrupted job finds them again.


rule train:
    input:
        data=lambda wildcards: data_to_train(wildcards.group),
        engine=sources(*ENGINE_FILES),
    output:
        f"{RESULTS}/groups/{{group}}/trained.json",
    log:
        f"{RESULTS}/logs/train/{{group}}.log",
    conda:
        "../../envs/vaestudy.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(2000),
        runtime=train_minutes,
    params:
        runs=lambda wildcards: parameters_of(wildcards.group),
        log_steps=lambda wildcards: log_steps_of(wildcards.group),
    shell:
        "python -m vaestudy train-group --runs {params.runs:q} --data {input.data} "
        f"--runs-dir {RESULTS}/runs "
        "--output {output} --log {log} --threads {threads} --log-steps {params.log_steps}"
