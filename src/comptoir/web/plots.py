"""Small plots, drawn here as SVG: the points of step lines and the places of bars. Words beside them say the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal


def steps(numbers: Sequence[int], most: int) -> str:
    """Running totals as the points of a step line on a field of 240 by 80."""
    points, total = ["0,80"], 0
    for hour, number in enumerate(numbers):
        points.append(f"{hour * 10},{80 - round(76 * total / most, 1)}")
        total += number
        points.append(f"{hour * 10},{80 - round(76 * total / most, 1)}")
    points.append(f"{len(numbers) * 10},{80 - round(76 * total / most, 1)}")
    return " ".join(points)


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar on a field of `width` by 24: its place, its height, and whether it is one to look at."""

    x: int
    y: float
    height: float
    tone: str  # "", "now", "before"


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars beside one another, the last one today's."""

    width: int
    bars: tuple[Bar, ...]


STEP = 8  # of one bar with the gap behind it
HEIGHT = 24


def bars(values: Sequence[Decimal | int], *, marked: dict[int, str]) -> Bars:
    """Bars for values from old to new; what is below nothing has none. `marked`: place -> tone."""
    most = max([Decimal(0), *map(Decimal, values)])
    drawn = []
    for place, value in enumerate(values):
        share = float(Decimal(value) / most) if most and value > 0 else 0.0
        height = round(max(share * HEIGHT, 1.0 if value > 0 else 0.0), 1)
        drawn.append(Bar(place * STEP, round(HEIGHT - height, 1), height, marked.get(place, "")))
    return Bars(len(values) * STEP, tuple(drawn))
