"""The plots of report.html. The page sets the colors of background, grid and text for its light or dark theme."""

import itertools
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.io import templates

from overlapped_words.messages import count, printable
from overlapped_words.runs.members import Member

COLORS = ("#4285f4", "#e8710a", "#1e9e76", "#b55fd0")  # readable on white and on black
ACCENT, QUIET = COLORS[1], "#8a8f98"
THEMES = {"light": templates["plotly_white"].to_plotly_json(), "dark": templates["plotly_dark"].to_plotly_json()}


def plain(name: str) -> str:
    """Escape a name so that plotly shows it unchanged: its texts may contain tags and entities, but not `&quot;`."""
    return escape(printable(name), quote=False)


def epoch_curves(members: Sequence[Member], tables: Sequence[pd.DataFrame], column: str, title: str) -> go.Figure:
    """Plot a column of metrics.csv against the epoch: one line per member, one color per pool."""
    figure = _figure("epoch", title)
    pools = list(dict.fromkeys(member.pool for member in members))
    seen: set[str] = set()
    for member, table in zip(members, tables, strict=True):
        if column in table:
            figure.add_scatter(
                x=table["epoch"] + 1,
                y=table[column],
                name=plain(member.pool),
                legendgroup=member.pool,
                showlegend=member.pool not in seen,
                line={"color": COLORS[pools.index(member.pool) % len(COLORS)], "width": 1.5},
                opacity=0.7,  # lines overlap
                hovertext=plain(member.name),
                hovertemplate="%{hovertext}, epoch %{x}: %{y:.4f}<extra></extra>",
            )
            seen.add(member.pool)
    return _integer_ticks(figure, max(table["epoch"].max() + 1 for table in tables if column in table))


def diversity(names: Sequence[str], kls: np.ndarray, ensemble: float) -> go.Figure:
    """Plot the KLs of the members `(M,)`, their mean and the KL of the ensemble on one axis.

    The gap between the mean and the ensemble is the gain from diversity.
    """
    mean = float(kls.mean())
    figure = _figure("KL (nats), lower is better", "")
    figure.add_scatter(
        x=kls,
        y=np.zeros(len(kls)),
        mode="markers",
        marker={"size": 11, "color": COLORS[0], "opacity": 0.6},
        hovertext=[plain(name) for name in names],
        hovertemplate="%{hovertext}: %{x:.4f}<extra></extra>",
    )
    figure.add_shape(type="line", x0=ensemble, x1=mean, y0=0.5, y1=0.5, line={"color": ACCENT, "width": 6})
    for x, text, anchor in ((ensemble, "ensemble", "right"), (mean, "members' mean", "left")):
        figure.add_shape(type="line", x0=x, x1=x, y0=-0.4, y1=0.75, line={"color": ACCENT, "width": 2})
        figure.add_annotation(x=x, y=0.75, text=f"{text}<br>{x:.4f}", showarrow=False, yanchor="bottom", xanchor=anchor)
    figure.add_annotation(
        x=(ensemble + mean) / 2, y=0.5, text=f"gap {mean - ensemble:.4f}", showarrow=False, yshift=-14
    )
    low, high = min(ensemble, kls.min()), max(mean, kls.max())
    pad = 0.25 * max(high - low, 1e-3)
    figure.update_layout(showlegend=False, height=260)
    figure.update_xaxes(range=[low - pad, high + pad], nticks=6)
    return figure.update_yaxes(visible=False, range=[-0.7, 1.5])


def kl_by_number(curves: np.ndarray) -> go.Figure:
    """Plot the mean and standard deviation of `curves`, `(num_orders, M)`, over the orders of the members."""
    number = np.arange(1, curves.shape[1] + 1)
    spread = curves.std(axis=0)
    figure = _figure("members averaged", "KL (nats)")
    figure.add_scatter(
        x=number,
        y=curves.mean(axis=0),
        error_y={"array": spread, "width": 3},
        mode="lines+markers",
        line={"color": COLORS[0]},
        customdata=spread,
        hovertext=[count(i, "member") for i in number],
        hovertemplate="%{hovertext}: %{y:.4f} ± %{customdata:.4f}<extra></extra>",
    )
    return _integer_ticks(figure.update_layout(showlegend=False), len(number))


def bars(names: Iterable[str], values: pd.Series, title: str, hover: str, extra: Sequence[str] = ()) -> go.Figure:
    """Plot one horizontal bar per name, the first at the top.

    Args:
        title: label of the value axis.
        hover: plotly's hover template for the value.
        extra: one text per bar, available in `hover` as %{customdata}.
    """
    names = [plain(name) for name in names]
    figure = _figure(title, "")
    figure.add_bar(
        x=values,
        y=list(range(len(names))),  # not the names: plotly parses some as dates or numbers
        orientation="h",
        marker={"color": COLORS[0]},
        customdata=extra,
        hovertext=names,
        hovertemplate=f"%{{hovertext}}: {hover}<extra></extra>",
    )
    figure.update_layout(height=110 + 19 * len(names), bargap=0.25)
    return figure.update_yaxes(
        tickvals=list(range(len(names))),
        ticktext=names,
        ticklabelstandoff=4,
        range=[len(names) - 0.5, -0.5],
        showgrid=False,
    )


def reliability(table: pd.DataFrame) -> go.Figure:
    """Plot true against predicted probabilities from `error_analysis.reliability`, with the diagonal."""
    figure = _figure("mean prediction", "mean target")
    top = table[["predicted", "true"]].to_numpy().max() * 1.05
    figure.add_scatter(x=[0, top], y=[0, top], mode="lines", line={"dash": "dot", "color": QUIET}, hoverinfo="skip")
    figure.add_scatter(
        x=table["predicted"],
        y=table["true"],
        error_y={"array": table["error"], "width": 3},
        mode="lines+markers",
        line={"color": COLORS[0]},
        customdata=table["pairs"],
        hovertemplate="predicted %{x:.3f}, true %{y:.3f}<br>%{customdata} pairs of clip and word<extra></extra>",
    )
    return figure.update_layout(showlegend=False)


def false_alarms(table: pd.DataFrame) -> go.Figure:
    """Plot false alarms per hour against missed clips, from `error_analysis.false_alarms`."""
    figure = _figure("clips with words that are missed", "false alarms per hour")
    figure.add_scatter(
        x=table["missed"],
        y=table["per_hour"],
        mode="lines",
        line={"color": COLORS[0], "shape": "hv"},
        customdata=table["threshold"],
        hovertemplate="threshold %{customdata:.3f}: %{x:.1%} missed, %{y:.0f} false alarms<extra></extra>",
    )
    return figure.update_layout(showlegend=False).update_xaxes(tickformat=".0%", rangemode="tozero")


def _integer_ticks(figure: go.Figure, highest: int) -> go.Figure:
    """Set the x axis to 1 to `highest`, with at most ten ticks, all at integers."""
    powers = (10**exponent for exponent in itertools.count())
    step = next(step for power in powers for step in (power, 2 * power, 5 * power) if highest <= 10 * step)
    pad = 0.03 * (highest - 1) or 0.5
    return figure.update_xaxes(tick0=0, dtick=step, tickformat="d", range=[1 - pad, highest + pad])


def _figure(x: str, y: str) -> go.Figure:
    figure = go.Figure(
        layout={
            "template": "none",
            "height": 340,
            "margin": {"l": 10, "r": 10, "t": 20, "b": 10},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom"},
            "hovermode": "closest",
        }
    )
    figure.update_xaxes(title=x, automargin=True, fixedrange=True)
    return figure.update_yaxes(title=y, automargin=True, fixedrange=True)
