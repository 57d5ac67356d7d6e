"""The plots of report.html. The page sets the colors of background, grid and text for its light or dark theme."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.io import templates

from overlapped_words.messages import count, printable
from overlapped_words.runs.members import Member

COLORS = ("#4285f4", "#e8710a", "#1e9e76", "#b55fd0")  # readable on white and on black
THEMES = {"light": templates["plotly_white"].to_plotly_json(), "dark": templates["plotly_dark"].to_plotly_json()}


def plain(name: str) -> str:
    """Escape a name so that plotly shows it unchanged: its texts may contain tags and entities, but not `&quot;`."""
    return escape(printable(name), quote=False)


def epoch_curves(members: Sequence[Member], tables: Sequence[pd.DataFrame], column: str, title: str) -> go.Figure:
    """Plot a column of metrics.csv against the epoch: one line per member, one color per pool."""
    figure = _figure("epoch", title, showlegend=True)
    colors: dict[str, str] = {}
    for member, table in zip(members, tables, strict=True):
        if column in table:
            figure.add_scatter(
                x=table["epoch"] + 1,
                y=table[column],
                name=plain(member.pool),
                legendgroup=member.pool,
                showlegend=member.pool not in colors,
                line={"color": colors.setdefault(member.pool, COLORS[len(colors) % len(COLORS)]), "width": 1.5},
                opacity=0.7,  # lines overlap
                hovertext=plain(member.name),
                hovertemplate="%{hovertext}, epoch %{x}: %{y:.4f}<extra></extra>",
            )
    return _integer_ticks(figure, max(map(len, tables)))


def diversity(names: Sequence[str], kls: np.ndarray, ensemble: float) -> go.Figure:
    """Plot the KLs of the members `(M,)`, their mean and the KL of the ensemble on one axis.

    The gap between the mean and the ensemble is the gain from diversity.
    """
    mean, color = float(kls.mean()), COLORS[1]
    figure = _figure("KL (nats), lower is better", "", height=260)
    figure.add_scatter(x=kls, y=np.zeros(len(kls)), mode="markers", marker={"size": 11, "opacity": 0.6})
    figure.update_traces(hovertext=list(map(plain, names)), hovertemplate="%{hovertext}: %{x:.4f}<extra></extra>")
    gap = f"gap {mean - ensemble:.4f}"
    figure.add_vrect(ensemble, mean, fillcolor=color, opacity=0.3, annotation_text=gap, annotation_position="bottom")
    for x, text, side in ((ensemble, "ensemble", "left"), (mean, "members' mean", "right")):
        text = f"{text}<br>{x:.4f}"
        figure.add_vline(x, line_color=color, annotation_text=text, annotation_position=f"top {side}")
    low, high = min(ensemble, kls.min()), max(mean, kls.max())
    pad = 0.25 * max(high - low, 1e-3)
    figure.update_xaxes(range=[low - pad, high + pad], nticks=6)
    return figure.update_yaxes(visible=False)


def kl_by_number(curves: np.ndarray) -> go.Figure:
    """Plot the mean and standard deviation of `curves`, `(NUM_ORDERS, M)`, over the orders of the members."""
    number, spread = np.arange(1, curves.shape[1] + 1), curves.std(axis=0)
    figure = _figure("members averaged", "KL (nats)")
    figure.add_scatter(x=number, y=curves.mean(axis=0), error_y={"array": spread, "width": 3}, mode="lines+markers")
    hover = "%{hovertext}: %{y:.4f} ± %{customdata:.4f}<extra></extra>"
    figure.update_traces(customdata=spread, hovertext=[count(i, "member") for i in number], hovertemplate=hover)
    return _integer_ticks(figure, len(number))


def bars(names: Iterable[str], values: pd.Series, title: str, hover: str, extra: Sequence[str] = ()) -> go.Figure:
    """Plot one horizontal bar per name, the first at the top.

    Args:
        title: label of the value axis.
        hover: plotly's hover template for the value.
        extra: one text per bar, available in `hover` as %{customdata}.
    """
    names = [plain(name) for name in names]
    rows = list(range(len(names)))  # not the names: plotly parses some as dates or numbers
    figure = _figure(title, "", height=110 + 19 * len(names), bargap=0.25)
    figure.add_bar(x=values, y=rows, orientation="h", customdata=extra)
    figure.update_traces(hovertext=names, hovertemplate=f"%{{hovertext}}: {hover}<extra></extra>")
    ends = [len(names) - 0.5, -0.5]
    return figure.update_yaxes(tickvals=rows, ticktext=names, ticklabelstandoff=4, range=ends, showgrid=False)


def reliability(table: pd.DataFrame) -> go.Figure:
    """Plot true against predicted probabilities from `error_analysis.reliability`, with the diagonal."""
    figure = _figure("mean prediction", "mean target")
    true, errors = table["true"], {"array": table["error"], "width": 3}
    figure.add_scatter(x=table["predicted"], y=true, error_y=errors, mode="lines+markers", customdata=table["pairs"])
    hover = "predicted %{x:.3f}, true %{y:.3f}<br>%{customdata} pairs of clip and word<extra></extra>"
    top = table[["predicted", "true"]].to_numpy().max() * 1.05
    figure.add_shape(type="line", x0=0, y0=0, x1=top, y1=top, line={"dash": "dot", "color": "#8a8f98"})
    return figure.update_traces(hovertemplate=hover)


def false_alarms(table: pd.DataFrame) -> go.Figure:
    """Plot false alarms per hour against missed clips, from `error_analysis.false_alarms`."""
    figure = _figure("clips with words that are missed", "false alarms per hour")
    figure.add_scatter(x=table["missed"], y=table["per_hour"], mode="lines", line={"shape": "hv"})
    hover = "threshold %{customdata:.3f}: %{x:.1%} missed, %{y:.0f} false alarms<extra></extra>"
    figure.update_traces(customdata=table["threshold"], hovertemplate=hover)
    return figure.update_xaxes(tickformat=".0%", rangemode="tozero")


def _integer_ticks(figure: go.Figure, highest: int) -> go.Figure:
    return figure.update_xaxes(dtick=1 if highest <= 10 else None, nticks=10, tickformat="d")


def _figure(x: str, y: str, **layout: Any) -> go.Figure:
    shared = {
        "template": "none",
        "colorway": COLORS,
        "height": 340,
        "margin": {"l": 10, "r": 10, "t": 20, "b": 10},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "showlegend": False,
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom"},
        "hovermode": "closest",
    }
    figure = go.Figure(layout=shared | layout)
    figure.update_xaxes(title=x, automargin=True, fixedrange=True)
    return figure.update_yaxes(title=y, automargin=True, fixedrange=True)
