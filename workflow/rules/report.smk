# Chapters are notebooks that read the tables; the report is all of them.


localrules:
    figure,
    chapter,
    report,


# What a chapter imports, beside the figures.
CHAPTER_FILES = ["source_chapters.py", "study.py", "stats.py", "convergence.py"]
# What a measurement can be, where intervals end.
CHAPTER_FILES += ["claims/metrics.py"]
CHAPTER_FILES += ["latent_plane.py", "inference.py", "masks.py", "components.py"]
CHAPTER_FILES += ["report/resources/vaesummary-log.csv"]
CHAPTER_FILES += [
    f"report/{name}.py"
    for name in ("present", "item", "svg", "phrases", "widgets", "errors")
]
# The verdicts are read by one chapter and one figure: a new claim leaves the others alone.
CLAIMS_FILES = [
    "claims/words.py",
    "claims/kept.py",
    "report/ledger.py",
    "report/backlinks.py",
]
# Chapters that say what they mean for a claim judge it by the ledger.
JUDGES = ("introduction", "implementing", "activity")
JUDGING = [*package("claims"), here("report/claims.yaml")]
# A chapter with live pictures takes in their scripts and styles.
WIDGETS = {
    name: package("report/resources/widgets", "*")
    for name, notebook in NOTEBOOKS.items()
    if "report.widgets" in notebook.read_text(encoding="utf-8")
}


rule chapter:
    input:
        notebook=here("notebooks/{chapter}.py"),
        config=rules.resolved_grid.output,
        tables=lambda wildcards: tables_for(wildcards.chapter.endswith("-claims")),
        classifier=lambda wildcards: classifier_for(
            wildcards.chapter.endswith("-kingma-welling")
        ),
        kept=lambda wildcards: KEPT.get(wildcards.chapter.partition("-")[2], []),
        code=lambda wildcards: package("figures")
        + sources(
            *CHAPTER_FILES,
            *(CLAIMS_FILES if wildcards.chapter.endswith("-claims") else ()),
        ),
        judging=lambda wildcards: (
            JUDGING if wildcards.chapter.partition("-")[2] in JUDGES else []
        ),
        widgets=lambda wildcards: WIDGETS.get(wildcards.chapter, []),
    output:
        f"{RESULTS}/notebooks/{{chapter}}.ipynb",
    log:
        notebook=f"{RESULTS}/logs/notebooks/{{chapter}}.ipynb",
        text=f"{RESULTS}/logs/notebooks/{{chapter}}.log",
    conda:
        "../../envs/vaestudy.yaml"
    shell:
        "python -m vaestudy chapter {input.notebook} --config {input.config} --output {output} "
        "--log-notebook {log.notebook} --log {log.text}"


# Any figure alone, as PDF, PNG or SVG, with its data beside it.
rule figure:
    input:
        config=rules.resolved_grid.output,
        tables=figure_inputs,
        classifier=lambda wildcards: classifier_for(wildcards.figure == "summary-plane"),
        code=package("figures")
        + sources(
            "study.py",
            "stats.py",
            "convergence.py",
            "latent_plane.py",
            "inference.py",
            "masks.py",
        ),
        kept=lambda wildcards: (
            KEPT["published"] if wildcards.figure == "published" else []
        ),
    output:
        f"{RESULTS}/figures/{{figure}}.{{format}}",
    log:
        f"{RESULTS}/logs/figures/{{figure}}.{{format}}.log",
    wildcard_constraints:
        format="pdf|png|svg|csv",
    conda:
        "../../envs/vaestudy.yaml"
    shell:
        "python -m vaestudy figure {wildcards.figure} --config {input.config} --output {output} "
        "2> >(tee {log} >&2)"


rule report:
    input:
        notebooks=expand(rules.chapter.output, chapter=CHAPTERS),
        config=rules.resolved_config.output,
        resources=files_in("report"),
        left_out=[
            here(path) for name, path in NOTEBOOKS.items() if name not in CHAPTERS
        ],
        code=package("report"),
        style=package("report/resources", "*"),
    output:
        html=report(
            f"{RESULTS}/report.html", caption="../report/report.rst", category="Report"
        ),
        pdf=report(
            f"{RESULTS}/report.pdf", caption="../report/report.rst", category="Report"
        ),
    log:
        f"{RESULTS}/logs/report.log",
    conda:
        "../../envs/vaestudy.yaml"
    params:
        left_out=lambda wildcards, input: [
            f"--left-out {path}" for path in input.left_out
        ],
    shell:
        "python -m vaestudy report {input.notebooks} --config {input.config} "
        "--html {output.html} --pdf {output.pdf} {params.left_out} "
        "2> >(tee {log} >&2)"
