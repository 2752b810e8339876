"""A bench: one connector in front of its simulator, in process, behind a door whose every call is seen.

`tests/connectors/<kind>/bench.py` has the bench of a kind as `BENCH`; the contract suite runs on each.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from importlib import util
from pathlib import Path
from typing import Any, ClassVar

from comptoir import connectors
from comptoir.channels.connector import Connector, OpenedClient
from comptoir.channels.http import CallMade, HttpDoor, Limits
from comptoir.channels.records import LevelToTell, Parcel, ParcelLine, PriceToTell, StockFigure
from comptoir.simulators.simulator import Simulator

HERE = Path(__file__).parent.parent / "connectors"


class Bench:
    """What the contract suite asks of every kind. A subclass says what differs, and may offer more to its own tests."""

    kind: ClassVar[str]
    #: what is typed in to connect to the simulator in process
    config: ClassVar[Mapping[str, Any]]
    #: what the simulator's counters call a reading's rows
    resources: ClassVar[Mapping[str, str]]
    #: whether nothing can be without a SKU there; else `stock({"": 5})` makes such a thing
    sku_is_required: ClassVar[bool] = False
    #: the smallest change of a price that the shop keeps in full
    price_step: ClassVar[Decimal] = Decimal("0.010001")
    simulator: Simulator

    def __init__(self, world: str = "demo", **options: Any) -> None:
        self.simulator = self.make(world=world, **options)
        self.calls: list[CallMade] = []
        self.production = True
        self.application: Callable[..., Any] = self.simulator.wsgi

    def make(self, **options: Any) -> Simulator:
        """The simulator itself."""
        raise NotImplementedError

    @property
    def card(self) -> Connector:
        card = connectors.find(self.kind)
        assert card is not None
        return card

    @property
    def secrets(self) -> list[str]:
        """What no call may show."""
        return [str(self.config[one.name]) for one in self.card.fields if one.secret and self.config.get(one.name)]

    def door(self, **options: Any) -> HttpDoor:
        return HttpDoor(
            **{
                "may_write": lambda: self.production,
                "fates": self.card.fates,
                "secrets": self.secrets,
                "observer": self.calls.append,
                "simulator": lambda *given: self.application(*given),
                "limits": Limits(body=4_000_000),
                **options,
            }
        )

    def open(self, door: HttpDoor | None = None, **config: Any) -> OpenedClient:
        return self.card.connect({**self.config, **config}, door or self.door())

    # What happens in the shop

    def sell(self, count: int = 1) -> list[str]:
        """So many new paid sales; gives their external ids."""
        shelf = self.simulator.shelf()
        sku = max(shelf, key=lambda one: shelf[one]) if shelf else "SOLD"
        self.simulator.stock({sku: shelf.get(sku, 0) + count})
        return [self.simulator.buy({sku: 1}) for _ in range(count)]

    def add_products(self, count: int) -> None:
        """So many simple products with stock."""
        self.simulator.stock({f"T-{number}": 5 for number in range(count)})

    def add_suppliers(self, count: int, links: int = 0) -> None:
        """So many suppliers, and so many things that one of them sells."""
        raise NotImplementedError

    def let_price(self) -> None:
        """The merchant gives the key what a hub that owns prices needs."""

    def revoke(self) -> None:
        """The merchant takes the credentials back."""
        raise NotImplementedError

    def throttle(self, seconds: int, times: int = 1) -> None:
        self.simulator.faults.add("throttled", retry_after=str(seconds), times=times)

    def answer_with_html(self) -> None:
        self.simulator.faults.add("html_page", times=None)

    def change_bodies(self, change: Callable[[str, bytes], bytes]) -> None:
        """From now on `change(path, body)` decides what goes out."""
        inner = self.application

        def wsgi(environ: Any, start_response: Any) -> list[bytes]:
            heads: list[Any] = []
            body = b"".join(inner(environ, lambda *given: heads.append(given)))
            start_response(heads[0][0], [one for one in heads[0][1] if one[0] != "Content-Length"])
            return [change(environ["PATH_INFO"], body)]

        self.application = wsgi

    def add_unknown_fields(self) -> None:
        """From now on every object has a field that nobody has heard of."""

        def enrich(value: Any) -> Any:
            if isinstance(value, dict):
                return {**{name: enrich(one) for name, one in value.items()}, "novelty": {"deep": 1}}
            return [enrich(one) for one in value] if isinstance(value, list) else value

        self.change_bodies(lambda path, body: json.dumps(enrich(json.loads(body))).encode())

    # What is told

    def priced(self, client: OpenedClient) -> list[tuple[str, str]]:
        """(listing, selling point) of a few things with prices."""
        point = client.probe.look_around().points[0].external_id
        page = next(page for page in client.products.everything({}) if page.items)
        return [(one.external_id, point) for product in page.items for one in product.listings if one.price is not None]

    def a_price(self, client: OpenedClient) -> PriceToTell:
        """Another price for the first of them."""
        listing, point = self.priced(client)[0]
        return PriceToTell(offer=1, listing=listing, selling_point=point, amount=Decimal("77.70"))

    def a_level(self, figure: StockFigure) -> LevelToTell:
        return LevelToTell(
            offer=1,
            listing=figure.listing,
            selling_point=figure.selling_point,
            ref=figure.ref,
            level=figure.quantity + Decimal(1),
        )

    def a_parcel(self, sale: str, tracking: str = "JD0140", **fields: Any) -> Parcel:
        """Everything of a sale in one parcel."""
        (read,) = self.open().sales.fetch([sale]).items
        return Parcel(
            **{
                "sale": sale,
                "key": "parcel-1",
                "carrier": "2",
                "carrier_name": "My carrier",
                "tracking": tracking,
                "tracking_url": "",
                "shipped_at": datetime(2026, 3, 1, tzinfo=UTC),
                "lines": tuple(ParcelLine(line=line.external_id, quantity=line.quantity) for line in read.lines),
                "completes": True,
                **fields,
            }
        )

    # What was seen

    def served(self, what: str) -> set[str]:
        """External ids, as the connector's pages have them in `seen`, that went over the wire."""
        return {str(one) for one in self.simulator.counters.served_ids(self.resources[what])}

    def forget_served(self) -> None:
        self.simulator.counters.served.clear()

    def writes_received(self) -> int:
        return self.simulator.counters.writes.total()


def find(kind: str) -> type[Bench]:
    """The bench of a kind; a card without one is a failure, not a skip."""
    path = HERE / kind / "bench.py"
    assert path.exists(), f"the connector {kind} has no bench: {path.relative_to(HERE.parent.parent)}"
    spec = util.spec_from_file_location(f"bench_of_{kind}", path)
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.BENCH  # type: ignore[no-any-return]
