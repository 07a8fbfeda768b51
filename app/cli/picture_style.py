"""How the pictures of commands look. Plain values; knows no plotting library."""

from typing import Any

INK, GREY = "#1b2330", "#8a94a6"

STYLE: Any = {
    "font.size": 10,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e9ef",
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}
