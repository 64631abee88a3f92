"""TeX reaches KaTeX and Typst whole."""

from __future__ import annotations

import pytest

from vaestudy.report import ReportError, maths


def test_katex_renders_for_eyes_and_for_readers() -> None:
    rendered = maths.katex(r"\frac{1}{K}\sum_k w_k", display=True)
    assert 'class="katex-display"' in rendered
    assert "<math" in rendered


def test_katex_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ReportError, match="KaTeX cannot read the formula"):
        maths.katex(r"\nosuchmacro", display=False)


@pytest.mark.parametrize(
    ("tex", "typst"),
    [
        (r"\operatorname{softplus}(a)", r'$op("softplus") \( a \)$'),
        (r"\operatorname*{arg\,max}_z f", r'$op("arg max", limits: #true)_z f$'),
        (r"\text{NLL}", '$upright("NLL")$'),
        (r"a \odot b", "$a dot.o b$"),
        (r"a\;b", "$a #h(0.222em) b$"),
        (r"\E\!\left[x\right]".replace(r"\E", r"\mathbb{E}"), "$bb(E) [x]$"),
        (r"\bigl(x\bigr)", r"$lr(size: #120%, \() x lr(size: #120%, \))$"),
    ],
)
def test_pandoc_s_typst_is_mended(tex: str, typst: str) -> None:
    assert maths.typst([tex])[tex] == typst


def test_many_formulas_are_translated_in_one_call_and_once_each() -> None:
    formulas = [f"x_{{{i}}}" for i in range(30)] * 2
    translated = maths.typst(formulas)
    assert len(translated) == 30
    assert translated["x_{7}"] == "$x_7$"
    assert maths.typst([]) == {}


def test_what_only_pandoc_cannot_read_is_told() -> None:
    with pytest.raises(ReportError, match="middle"):
        maths.typst([r"\left(a\middle|b\right) \middle|"])


def test_an_equation_is_read_aloud_as_its_tex() -> None:
    made = maths.typst_equation('x "y"', "$x$", display=True)
    assert made == r'#math.equation(block: true, alt: "x \"y\"", $x$)'
