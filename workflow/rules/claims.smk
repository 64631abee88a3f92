# The sources' claims, decided from the tables.


localrules:
    claims,


rule claims:
    input:
        config=rules.resolved_grid.output,
        tables=rules.tables.output,
        ledger=here("report/claims.yaml"),
        code=package("claims")
        + sources(
            "study.py",
            "stats.py",
            "convergence.py",
            "figures/families.py",
            "figures/activity_data.py",
            "figures/summary_data.py",
        ),
    output:
        f"{RESULTS}/tables/claims.parquet",
        f"{RESULTS}/tables/claims.csv",
    log:
        f"{RESULTS}/logs/claims.log",
    conda:
        "../../envs/vaestudy.yaml"
    shell:
        "python -m vaestudy claims {input.config} --ledger {input.ledger} > {log} 2>&1"
