# `snakemake` at the root of the checkout runs the workflow that lives in workflow/.
include: "workflow/Snakefile"


rule default:
    default_target: True
    input:
        rules.all.input,
