# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% tags=["parameters"]
tables = ""

# %% tags=["setup"]
# ruff: noqa: E402
import pandas as pd

from vaestudy.report import present

rows = pd.DataFrame({"seed": range(3), "nll": [86.4, 86.2, 86.9]})

# %%
present.abstract(
    f"We train {len(rows)} autoencoders [@kingma2014] and find a mean test NLL of "
    f"{rows.nll.mean():.2f} nats, with $\\E_{{q}}[\\log p(x \\given z)]$ as in @eq:elbo."
)

# %% [markdown]
# # Method {#sec:method}
#
# A variational autoencoder [@kingma2014; @rezende2014] trains a decoder $p_\theta(x \given z)$
# together with an encoder $q_\phi(z \given x)$. It maximises a lower bound on $\log p_\theta(x)$,
#
# $$\elbo(x) = \E_{q_\phi(z \given x)}\!\left[\log p_\theta(x \given z)\right]
#   - \KL\bigl(q_\phi(z \given x)\,\|\,p(z)\bigr)$$ {#eq:elbo}
#
# which @burda2016 tighten by averaging $K$ importance weights inside the logarithm,
#
# $$\elbo_K(x) = \E\left[\log \frac{1}{K} \sum_{k=1}^{K}
#   \frac{p_\theta(x, z_k)}{q_\phi(z_k \given x)}\right],
#   \qquad z_k \sim q_\phi(z \given x).$$ {#eq:iwae}
#
# @eq:iwae equals @eq:elbo when $K = 1$; @sec:results compares them, and [@fig:bound; @tbl:nll]
# show what comes of it.[^draft]
#
# [^draft]: After an unfinished draft [@bettencourt2016].
#
# ## Active units
#
# A unit $u$ is active if $A_u = \Var_x\bigl(\E_{q}[z_u]\bigr) > 0.01$. With
# $\beta \odot \mu \le \sum_i \sigma_i^2$ and $x \in \{0,1\}^{784}$, the `softplus` is
# $\softplus(a) = \ln(1 + e^a)$.
#
# $$\begin{aligned} f(x) &= \begin{cases} 1 & x > 0 \\ 0 & \text{otherwise} \end{cases} \\
#   \Sigma &= \begin{pmatrix} \sigma_1^2 & 0 \\ 0 & \sigma_2^2 \end{pmatrix} \end{aligned}$$

# %%
print("A cell that shows nothing of ours stays out of the report: SILENT")
