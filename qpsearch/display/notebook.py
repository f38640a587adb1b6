"""The output of a notebook's cell with lines that stay, and a drawing below them that is renewed."""

import io
import sys
import threading
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from qpsearch.display.terminal import Drawing

PERIOD_S: Final = 0.5
COLUMNS: Final = 100
ROWS: Final = 24
PAGE: Final = "<pre style='line-height:1.3;overflow-x:auto'>{code}</pre>"


def is_notebook() -> bool:
    """Whether this program runs in a notebook's kernel."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


class LiveNotebook:
    """Lines that stay, above a drawing that is renewed twice a second.

    Args:
        draw: Returns the drawing for a number of columns and rows, as a renderable for each line.
    """

    def __init__(self, draw: Drawing) -> None:
        self._draw = draw
        self._lines: list[str] = []
        self._shown: Any = None
        self._over = threading.Event()
        self.failure: Exception | None = None
        self._thread = threading.Thread(target=self._renew, name="qpsearch-notebook", daemon=True)

    @property
    def is_live(self) -> bool:
        """Whether the drawing is started and not yet stopped."""
        return self._shown is not None and not self._over.is_set()

    def start(self) -> None:
        """Begin to draw."""
        from IPython.display import display

        self._shown = display(self._page(), display_id=True)  # type: ignore[no-untyped-call]  # IPython has no types
        self._thread.start()

    def stop(self) -> None:
        """Show only the lines."""
        if not self.is_live:
            return
        self._over.set()
        self._thread.join()
        self._shown.update(self._page())

    def print(self, text: str) -> None:
        """Print lines above the drawing."""
        self._lines += text.splitlines()

    def _renew(self) -> None:
        try:
            while not self._over.wait(PERIOD_S):
                self._shown.update(self._page())
        except Exception as error:  # the driver's thread tells it
            self.failure = error

    def _page(self) -> Any:
        from IPython.display import HTML

        console = Console(file=io.StringIO(), record=True, width=COLUMNS, force_jupyter=False, highlight=False)
        for line in self._lines.copy():
            console.print(Text(line), soft_wrap=True)
        if not self._over.is_set():
            for renderable in self._draw(COLUMNS, ROWS):
                console.print(renderable, no_wrap=True, overflow="ellipsis")
        page = console.export_html(inline_styles=True, code_format=PAGE)
        return HTML(page)  # type: ignore[no-untyped-call]  # IPython has no types
