"""The whole simulated shop without HTTP: `Shop` is what tests and worlds act on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comptoir.connectors.magento.simulator.ordering import Ordering
from comptoir.connectors.magento.simulator.store import Store
from comptoir.simulators.clock import Clock

#: what may be done through the control door
ACTIONS = (
    "add_product", "add_configurable", "edit_product", "delete_product", "add_category", "add_image", "add_source", "add_stock",
    "add_store",
    "set_quantity", "place_order", "invoice", "pay", "ship_order", "add_track", "cancel_order", "refund", "set_state",
    "add_comment", "edit_order", "set_quirk", "set_rights", "revoke",
)  # fmt: skip


@dataclass
class Quirks:
    """What differs between shops."""

    last_page_forever: bool = False  #: past the end the last page comes again
    items_null: bool = False  #: an empty list is null
    shuffles_unsorted: bool = True  #: without a sort every page is cut from another order
    bearer: bool = False  #: integration tokens are taken as bearer tokens
    msi: bool = True  #: stock by sources
    consumer: bool = True  #: somebody works off asynchronous calls
    input_limit: int = 0  #: rows of a synchronous call, 0 no limit
    quoted_scalars: bool = False  #: a bare number comes in quotes
    deadlocks: int = 0  #: so many writes of stock end in a deadlock, with nothing done


class Shop(Ordering):
    """One installed shop."""

    def __init__(self, clock: Clock, *, timezone: str, version: str, path: Path | None, currency: str) -> None:
        self.clock = clock
        self.store = Store(path)
        self.quirks = Quirks()
        self.version = version
        if self.store.value("SELECT value FROM meta WHERE name = 'currency'") is None:
            with self.store.transaction():
                self.store.set("currency", currency)
                self.store.set("timezone", timezone)
                self.add_stock(1, "Default Stock", ["base"])
                self.add_source("default", "Default Source")
        self.currency = self.store.setting("currency")
        self.timezone = self.store.setting("timezone")

    @property
    def msi(self) -> bool:  # type: ignore[override]  # here a quirk decides
        return self.quirks.msi

    def set_quirk(self, name: str, value: Any = True) -> None:
        """Another habit of this shop."""
        if name not in Quirks.__dataclass_fields__:
            raise KeyError(f"no quirk {name}")
        setattr(self.quirks, name, value)

    def set_rights(self, without: list[str]) -> None:
        """The integration has every right but these."""
        self.store.set("without", ",".join(without))

    def revoke(self) -> None:
        """The integration is switched off."""
        self.store.set("revoked", "1")

    def dump(self) -> dict[str, Any]:
        """What tests compare."""
        return {
            "products": self.store.rows("SELECT entity_id, sku, type_id, price, status, updated_at FROM products"),
            "source_items": self.store.rows("SELECT sku, source_code, quantity, status FROM source_items"),
            "reservations": self.store.rows("SELECT stock_id, sku, quantity, why, order_id FROM reservations"),
            "orders": self.store.rows(
                "SELECT entity_id, increment_id, state, status, created_at, updated_at FROM orders"
            ),
            "shipments": self.store.rows("SELECT entity_id, order_id, doc FROM shipments"),
            "invoices": self.store.rows("SELECT entity_id, order_id FROM invoices"),
            "operations": self.store.rows("SELECT id, uuid, status FROM operations"),
        }
