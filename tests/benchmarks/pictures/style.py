"""How every picture of ours looks: ink, colours, and a figure to draw on. Knows nothing of what is drawn."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

INK, GREY, FAINT = "#1b2330", "#8a94a6", "#e6e9ef"
OURS, OTHER, LEAST, WARM = "#1f6fb2", "#aab3c2", "#d5dae3", "#c2703d"
GOOD, MISSED = "#2f8f5b", "#b3382c"
_STYLE: Any = {
    "font.size": 10,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}


@contextmanager
def picture(path: Path, width: float, height: float, title: str, below: str = "") -> Iterator[Any]:
    """A figure to draw on, written as a PNG at the end. Raises ImportError where matplotlib is not installed."""
    # Figure itself, not pyplot: that would look for a display and keep every figure.
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        figure.get_layout_engine().set(h_pad=0.12, w_pad=0.12, hspace=0.06, wspace=0.06)  # type: ignore[union-attr]
        figure.suptitle(title, x=0.012, ha="left", fontsize=13, fontweight="bold")
        if below:
            figure.supxlabel(below, x=0.012, ha="left", fontsize=8, color=GREY)
        yield figure
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=130)


def bare_axes(axes: Any) -> None:
    """No frame and no ticks: the bars carry their own numbers."""
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(length=0)
    axes.set_xticks([])
