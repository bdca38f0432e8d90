"""Series over time as an SVG: a panel for each quantity, the compared thirds shaded."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Self

from tests.soak.growth import Growth, Series

WIDTH, PANEL, MARGIN_LEFT, RIGHT = 960, 190, 70, 936
LETTER = 6.2
FONT = 'font-family="system-ui, -apple-system, Segoe UI, sans-serif" font-size="12"'
TITLE, GAP, LEGEND = 64, 58, 22
COLOURS = ("#2563eb", "#ea580c", "#059669", "#7c3aed")
GRID, TEXT, FAINT, BAND = "#e5e7eb", "#111827", "#6b7280", "#eff6ff"
TICKS = 4


@dataclass(frozen=True)
class Panel:
    """One quantity: its lines by name, and the growth of those that are bounded."""

    title: str
    lines: Mapping[str, Series]
    growths: Mapping[str, Growth]


def picture(title: str, subtitle: str, panels: Sequence[Panel]) -> str:
    """The SVG's text."""
    height = TITLE + len(panels) * (PANEL + GAP) + 24
    end = max(at for panel in panels for line in panel.lines.values() for at, _ in line)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {FONT}>',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        _text(MARGIN_LEFT, 28, title, size=18, weight=600),
        _text(MARGIN_LEFT, 48, subtitle, colour=FAINT),
    ]
    for number, panel in enumerate(panels):
        parts += _Axes.around(panel, top=TITLE + number * (PANEL + GAP) + LEGEND, end=end).drawn()
    return "\n".join([*parts, "</svg>\n"])


@dataclass(frozen=True)
class _Axes:
    """Where a panel's values are on the page."""

    panel: Panel
    top: float
    bottom: float
    end: float
    step: float
    most: float

    @classmethod
    def around(cls, panel: Panel, *, top: float, end: float) -> Self:
        highest = max(value for line in panel.lines.values() for _, value in line)
        step = _step(highest)
        most = step * max(1, math.ceil(highest * 1.05 / step))
        return cls(panel, top, top + PANEL - LEGEND, end, step, most)

    def x(self, at: float) -> float:
        return MARGIN_LEFT + (RIGHT - MARGIN_LEFT) * at / self.end

    def y(self, value: float) -> float:
        return self.bottom - (self.bottom - self.top) * value / self.most

    def drawn(self) -> Iterator[str]:
        yield _text(MARGIN_LEFT, self.top - 10, self.panel.title, size=13, weight=600)
        yield from self._bands()
        yield from self._grid()
        yield from self._lines()
        yield from self._medians()

    def _bands(self) -> Iterator[str]:
        for growth in list(self.panel.growths.values())[:1]:
            for start, stop in growth.thirds:
                place = f'x="{self.x(start):.1f}" y="{self.top:.1f}"'
                size = f'width="{self.x(stop) - self.x(start):.1f}" height="{PANEL - LEGEND}"'
                yield f'<rect {place} {size} fill="{BAND}"/>'

    def _grid(self) -> Iterator[str]:
        for tick in range(round(self.most / self.step) + 1):
            value = tick * self.step
            yield _line(MARGIN_LEFT, RIGHT, self.y(value), colour=GRID)
            label = f"{value:g}"
            yield _text(MARGIN_LEFT - 8, self.y(value) + 4, label, colour=FAINT, anchor="end")
        minutes = max(0.25, _step(self.end / 60))
        for tick in range(int(self.end / 60 / minutes) + 1):
            label, at = f"{tick * minutes:g} min", tick * minutes * 60
            yield _text(self.x(at), self.bottom + 16, label, colour=FAINT, anchor="middle")

    def _lines(self) -> Iterator[str]:
        legend = float(RIGHT)
        for name, colour in reversed(list(zip(self.panel.lines, COLOURS, strict=False))):
            line = self.panel.lines[name]
            points = " ".join(f"{self.x(at):.1f},{self.y(value):.1f}" for at, value in line)
            style = 'fill="none" stroke-width="1.5" stroke-linejoin="round"'
            yield f'<polyline points="{points}" stroke="{colour}" {style}/>'
            growth = self.panel.growths.get(name)
            label = f"{name}: {_told(growth)}" if growth else name
            yield _text(legend, self.top - 10, label, colour=colour, anchor="end")
            legend -= LETTER * len(label) + 18

    def _medians(self) -> Iterator[str]:
        for name, colour in zip(self.panel.lines, COLOURS, strict=False):
            if growth := self.panel.growths.get(name):
                medians = (growth.first, growth.last)
                for (start, stop), middle in zip(growth.thirds, medians, strict=True):
                    ends = (self.x(start), self.x(stop))
                    yield _line(*ends, self.y(middle), colour=colour, width=4, opacity=0.4)


def _told(growth: Growth) -> str:
    return f"{growth.first:.3g} → {growth.last:.3g} (at most {growth.most:.3g})"


def _step(highest: float) -> float:
    """A round step that makes about four of the way from 0 to `highest`."""
    rough = max(highest, 1e-9) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * step for step in (1, 2, 5, 10) if power * step >= rough)


def _line(
    left: float, right: float, y: float, *, colour: str, width: float = 1, opacity: float = 1
) -> str:
    return (
        f'<line x1="{left:.1f}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="{colour}" '
        f'stroke-width="{width:g}" stroke-opacity="{opacity:g}"/>'
    )


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 12,
    weight: int = 400,
    colour: str = TEXT,
    anchor: str = "start",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" '
        f'fill="{colour}" text-anchor="{anchor}">{escape(text)}</text>'
    )
