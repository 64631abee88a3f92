# What all jobs wrote, as the study's tables.


localrules:
    resolved_grid,
    resolved_config,


# How jobs run and where they find data: what reaches them in environment variables (common.smk).
HOW = {"checkpoint_every", "compile", "data_dir", "device"}


# The configuration as Snakemake sees it, overrides from the command line included. Tables, chapters
# and figures read it without the report's title, so that another title reruns the report alone.
# (Not `ancient()`: in Snakemake 9 such an input hides that others are missing. And a function, of
# which braces in a title are no wildcards.)
rule resolved_grid:
    output:
        f"{RESULTS}/grid.yaml",
    log:
        f"{RESULTS}/logs/grid.log",
    conda:
        "../../envs/vaestudy.yaml"
    params:
        values=lambda wildcards: ANYWHERE.model_dump_json(exclude={*HOW, "report"}),
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
        values=lambda wildcards: ANYWHERE.model_dump_json(exclude=HOW),
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
