"""The import graph of the package, built once."""

from __future__ import annotations

import configparser
from dataclasses import dataclass
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Picture:
    """The layers of .importlinter, the one place that states them: who may stand on whom."""

    layers: list[list[str]]  # highest first
    commerce: list[list[str]]

    @classmethod
    def read(cls) -> Picture:
        contracts = configparser.ConfigParser()
        contracts.read(ROOT / ".importlinter")

        def layers(contract: str) -> list[list[str]]:
            lines = contracts[f"importlinter:contract:{contract}"]["layers"].split("\n")
            return [[part.strip(" ()") for part in line.split("|")] for line in lines if line]

        return cls(layers("layers"), layers("commerce"))

    def allows(self, upper: str, lower: str) -> bool:
        """Whether the part that holds module `upper` may know the part that holds module `lower`."""
        one, other = upper.split(".")[1:3], lower.split(".")[1:3]
        if one[0] == other[0] == "commerce":
            return one[1] == other[1] or self._above(self.commerce, one[1], other[1])
        if one[0] == "commerce":
            return other[0] in ("events", "kit")
        return one[0] == other[0] or self._above(self.layers, one[0], other[0])

    @staticmethod
    def _above(layers: list[list[str]], one: str, other: str) -> bool:
        height = {part: index for index, line in enumerate(layers) for part in line}
        return height[one] < height[other]


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def picture() -> Picture:
    return Picture.read()


@pytest.fixture(scope="session")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("comptoir", include_external_packages=True, cache_dir=None)
