"""The fonts of the HTML report, as data URIs in its style sheet."""

from __future__ import annotations

import base64
import re
from importlib import resources
from importlib.resources.abc import Traversable

_LATIN = "U+0000-00FF,U+0131,U+0152-0153,U+02BB-02DC,U+2000-206F,U+20AC,U+2122,U+2212,U+FEFF,U+FFFD"
_TEXT_FONTS = (
    ("LibertinusSerif-Regular-latin", 400, "normal", _LATIN),
    ("LibertinusSerif-Italic-latin", 400, "italic", _LATIN),
    ("LibertinusSerif-Semibold-latin", 600, "normal", _LATIN),
    ("LibertinusSerif-Regular-extra", 400, "normal", "U+0100-017F,U+0370-03FF,U+2190-2AFF"),
    ("LibertinusSerif-Italic-extra", 400, "italic", "U+0100-017F,U+0370-03FF,U+2190-2AFF"),
)
# KaTeX names a formula's fonts by classes; these say which class needs which font.
_MATH_FONTS = {
    "Main-Regular": r"katex",
    "Math-Italic": r"mathnormal|mathit",
    "Main-Italic": r"mathit|textit",
    "Main-Bold": r"mathbf|textbf|boldsymbol",
    "Main-BoldItalic": r"boldsymbol",
    "Math-BoldItalic": r"boldsymbol",
    "AMS-Regular": r"amsrm|mathbb|textbb",
    "Caligraphic-Regular": r"mathcal",
    "Caligraphic-Bold": r"mathcal mathbf|boldsymbol",
    "Script-Regular": r"mathscr|textscr",
    "Fraktur-Regular": r"mathfrak|textfrak",
    "Fraktur-Bold": r"mathboldfrak|textboldfrak",
    "SansSerif-Regular": r"mathsf|textsf",
    "SansSerif-Bold": r"mathboldsf|textboldsf",
    "SansSerif-Italic": r"mathitsf|mathsfit|textitsf",
    "Typewriter-Regular": r"mathtt|texttt",
    "Size1-Regular": r"size1|small-op",
    "Size2-Regular": r"size2|large-op",
    "Size3-Regular": r"size3",
    "Size4-Regular": r"size4",
}


def text_css() -> str:
    """Give the faces of the text font."""
    folder = _resources().joinpath("fonts")
    faces = []
    for name, weight, slant, span in _TEXT_FONTS:
        source = _uri(folder.joinpath(f"{name}.woff2"))
        faces.append(
            f'@font-face{{font-family:"Libertinus Serif";font-weight:{weight};font-style:{slant};'
            f"font-display:block;unicode-range:{span};{source}}}"
        )
    return "\n".join(faces)


def math_css(page: str) -> str:
    """Give KaTeX's style sheet, with only those of its fonts that a page uses."""
    if 'class="katex' not in page:
        return ""
    classes = " ".join(set(re.findall(r'class="([^"]*)"', page)))
    folder = _resources().joinpath("katex")
    sheet = folder.joinpath("katex.min.css").read_text(encoding="utf-8")

    def face(match: re.Match[str]) -> str:
        named = re.search(r"fonts/(KaTeX_([A-Za-z0-9-]+)\.woff2)", match[0])
        if named is None:
            return match[0]
        pattern = _MATH_FONTS.get(named[2], "katex")
        if not re.search(rf"(?<![\w-])(?:delim-)?(?:{pattern})(?![\w-])", classes):
            return ""
        source = _uri(folder.joinpath("fonts", named[1]))
        return re.sub(r"src:[^;}]+", lambda _: source, match[0])

    return re.sub(r"@font-face\s*\{[^}]+\}", face, sheet)


def _uri(file: Traversable) -> str:
    data = base64.b64encode(file.read_bytes()).decode()
    return f'src:url(data:font/woff2;base64,{data}) format("woff2")'


def _resources() -> Traversable:
    return resources.files("vaestudy.report").joinpath("resources")
