"""How pictures look on a light and on a dark page."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib

matplotlib.use("Agg")  # a worker has no display

import matplotlib.pyplot as plt
from matplotlib.figure import Figure


@dataclass(frozen=True)
class Theme:
    """suffix: of the file's name; paper and ink: background and everything drawn on it.

    start, end: what was there before, and what was found; limit: bounds and published figures.
    """

    suffix: str
    paper: str
    ink: str
    start: str
    end: str
    limit: str


THEMES = (
    Theme("", "#ffffff", "#1b1f24", "#7b818a", "#1f5fbf", "#c2410c"),
    Theme("-dark", "#14171c", "#e6e8eb", "#8f96a0", "#7cb2ff", "#fb923c"),
)


@contextmanager
def themed(theme: Theme) -> Iterator[None]:
    """What is drawn meanwhile has the theme's background, text and grid."""
    paper = ["figure.facecolor", "axes.facecolor", "savefig.facecolor", "legend.facecolor"]
    ink = ["text.color", "axes.edgecolor", "axes.labelcolor", "axes.titlecolor", "grid.color"]
    ink += ["xtick.color", "ytick.color", "legend.labelcolor"]
    style = {**dict.fromkeys(paper, theme.paper), **dict.fromkeys(ink, theme.ink)}
    with matplotlib.rc_context(
        {**style, "axes.grid": True, "axes.axisbelow": True, "grid.alpha": 0.25}
    ):
        yield


def png(figure: Figure) -> bytes:
    """The figure's file; the figure is closed."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    plt.close(figure)
    return buffer.getvalue()
