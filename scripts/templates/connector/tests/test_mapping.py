"""What Acme says and what we make of it: an answer in, a record out."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from comptoir.connectors.acme import mapping, wire
from comptoir.connectors.acme.webhooks import AcmeWebhooks, sign

from comptoir.channels.errors import Refused
from comptoir.channels.records import SaleState

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SALE = b"""{"id": 7, "state": "paid", "placed_at": "2026-03-02T11:00:00Z", "changed_at": "2026-03-02T11:30:00Z",
 "currency": "EUR", "total": "16.20", "carrier": "post", "buyer": "Ada", "email": "ada@example.test", "change": 3,
 "lines": [{"id": 1, "good": 4, "sku": "MUG-020", "name": "Mug", "units": 3, "price": "5.40"}], "parcels": []}"""


def test_a_sale_keeps_its_money_to_the_cent() -> None:
    sale = mapping.sale(msgspec.json.decode(SALE, type=wire.Sale))
    assert (sale.external_id, sale.state, sale.total) == ("7", SaleState.PAID, Decimal("16.20"))
    assert [(line.sku, line.quantity, line.total) for line in sale.lines] == [("MUG-020", 3, Decimal("16.20"))]


def test_a_state_that_nobody_knows_is_for_a_person() -> None:
    sale = mapping.sale(msgspec.json.decode(SALE.replace(b'"paid"', b'"parked"'), type=wire.Sale))
    assert (sale.state, sale.status) == (SaleState.UNKNOWN, "parked")


def test_a_signed_notice_says_what_to_ask_for() -> None:
    stamp, body = str(int(NOON.timestamp())), b'{"event": "e1", "about": "sale", "id": "7"}'
    headers = {"X-Time": stamp, "X-Signature": sign(stamp, body, "s3cret")}
    hint = AcmeWebhooks().hint(headers, body, "s3cret", at=NOON)
    assert (hint.event_id, hint.topic, hint.external_id) == ("e1", "sale", "7")
    with pytest.raises(Refused):
        AcmeWebhooks().hint(headers, body, "another", at=NOON)
    with pytest.raises(Refused):
        AcmeWebhooks().hint(headers, body, "s3cret", at=NOON.replace(hour=13))
