# What all jobs wrote, as the study's tables.


localrules:
    resolved_grid,
    resolved_config,


# The configuration as Snakemake sees it, overrides from the command line included. Tables, chapters
# and figures read it without the report's title, so that another title reruns the report alone.
# (Not `ancient()`: in Snakemake 9 such an input hides that others are missing.)
rule resolved_grid:
    output:
        f"{RESULTS}/grid.yaml",
    log:
        f"{RESULTS}/logs/grid.log",
    conda:
        "../../envs/vaestudy.yaml"
    params:
        values=STUDY.model_dump_json(
            exclude={"checkpoint_every", "compile", "device", "report"}
        ),
    shell:
        "python -m vaestudy resolve {params.values:q} --output {output} 2> {log}"


rule resolved_config:
    output:
        f"{RESULTS}/config.yaml",
    log:
        f"{RESULTS}/logs/config.log",
    conda:
        "../../envs/vaestudy.yaml"
    params:
        values=STUDY.model_dump_json(exclude={"checkpoint_every", "compile", "device"}),
    shell:
        "python -m vaestudy resolve {params.values:q} --output {output} 2> {log}"


rule tables:
    input:
        config=rules.resolved_grid.output,
        data=expand(rules.dataset.output, dataset=DATASETS),
        evaluations=expand(rules.evaluate.output, group=GROUPS),
        examinations=expand(rules.examine.output, group=EXAMINED),
        code=sources("tables.py", "stats.py"),
    output:
        [
            f"{RESULTS}/tables/{name}.{suffix}"
            for name in (
                "runs",
                "history",
                "units",
                "steps",
                "evaluation",
                "summary",
                "timing",
                "datasets",
            )
            for suffix in ("parquet", "csv.gz" if name == "units" else "csv")
        ],
    log:
        f"{RESULTS}/logs/tables.log",
    conda:
        "../../envs/vaestudy.yaml"
    shell:
        "python -m vaestudy aggregate --config {input.config} --log {log}"
