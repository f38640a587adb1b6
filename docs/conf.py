"""How Sphinx builds the pages: ``sphinx-build -W --keep-going docs site``."""

from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx

import qpsearch

project = "qpsearch"
version = release = qpsearch.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["generate.py"]
nitpicky = False  # signatures name torch's and optuna's classes, whose pages are on other hosts

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4

autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
napoleon_numpy_docstring = False
copybutton_exclude = ".linenos, .gp"

smartquotes = False  # an option's two hyphens stay two

linkcheck_anchors = False  # GitHub draws its headings late

html_theme = "furo"
html_title = "qpsearch"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_math_renderer = "mathml"  # browsers draw it themselves, so that pages need no other host
html_copy_source = html_show_sourcelink = False


def _inline(translator: Any, node: nodes.math) -> None:
    translator.body.append(convert(node.astext()))
    raise nodes.SkipNode


def _block(translator: Any, node: nodes.math_block) -> None:
    translator.body.append(convert(node.astext(), display="block"))
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Draw formulas as MathML."""
    app.add_html_math_renderer("mathml", inline_renderers=(_inline, None), block_renderers=(_block, None))
