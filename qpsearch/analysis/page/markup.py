"""HTML of parts that are safe by construction: text is escaped where it meets a tag, and only there."""

import html
import re
from typing import Any, Final

NAME: Final = re.compile(r"[^\W\d][\w.]*")  # of a parameter or a metric
AFTER_MARK: Final = re.compile(r"(?<=[._])(?![._])")


class Markup(str):
    """HTML that may stand in a page as it is."""

    __slots__ = ()

    @classmethod
    def joined(cls, parts: "list[Markup]") -> "Markup":
        """Return parts one after the other."""
        return cls("".join(parts))


def text(value: object) -> Markup:
    """Return any value as text that a browser shows and does not obey; markup stays what it is."""
    return value if isinstance(value, Markup) else Markup(html.escape(str(value)))


def tag(name: str, *inside: object, **attributes: Any) -> Markup:
    """Return an element.

    Args:
        name: Such as ``p``.
        inside: Text, which is escaped, or markup; None is left out.
        attributes: ``class_`` stands for ``class``, ``data_x`` for ``data-x``; True is an attribute without a value,
            None and False are left out.
    """
    given = "".join(_attribute(key, value) for key, value in attributes.items() if value not in (None, False))
    content = "".join(text(each) for each in inside if each is not None)
    return Markup(f"<{name}{given}>{content}</{name}>")


def breakable(value: object) -> Markup:
    """Return any value as text; a dotted name may break after its dots and underscores, and not within words."""
    if isinstance(value, str) and NAME.fullmatch(value):
        return Markup(AFTER_MARK.sub("<wbr>", value))
    return text(value)


def for_plotly(value: object) -> str:
    """Return text that plotly's own pseudo-HTML shows as it is, in labels and in what hovering shows."""
    return html.escape(str(value), quote=False)


def _attribute(key: str, value: Any) -> str:
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{html.escape(str(value))}"'
