"""Acme's bench: the contract suite and the proofs of every kind run on it."""

from __future__ import annotations

from typing import Any

from comptoir.connectors.acme.simulator import DEMO_KEY, AcmeSimulator
from connector_bench import Bench


class AcmeBench(Bench):
    """A bench whose account is `simulator`."""

    kind = "acme"
    config = {"url": "http://shop.test", "key": DEMO_KEY}
    resources = {"sales": "sales", "products": "goods", "stock": "goods"}
    simulator: AcmeSimulator

    def make(self, **options: Any) -> AcmeSimulator:
        return AcmeSimulator(**options)

    def revoke(self) -> None:
        self.simulator.key = "another"


BENCH = AcmeBench
