"""HTML of parts that are safe by construction: text is escaped where it meets a tag, and only there."""

import html
from typing import Any


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


def for_plotly(value: object) -> str:
    """Return text that plotly's own pseudo-HTML shows as it is, in labels and in what hovering shows."""
    return html.escape(str(value), quote=False)


def _attribute(key: str, value: Any) -> str:
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{html.escape(str(value))}"'
