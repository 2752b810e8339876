"""What is kept about one customer: found, handed over as one file, erased. Figures, goods and the country stay, so that the
books hold; a person who still waits for goods or owes money is not erased.

Finding looks through every order: a question that is asked now and then and may take seconds in a large hub.
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import IO, Any

import msgspec

from comptoir.channels.records import sale_from_text, to_text
from comptoir.commerce.orders import status
from comptoir.events.record import record
from comptoir.kit import ids, spreadsheets, sql
from comptoir.kit.actor import Actor
from comptoir.kit.errors import BadInput, Conflict
from comptoir.staging import actions as staging
from comptoir.staging import erased

EXPORTED, ERASED = "personal.customer.exported", "personal.customer.erased"

#: What stands where something was.
GONE = "…"
SHORTEST_PHONE = 6  # digits
SHORTEST_WORD = 3  # letters of a value that is looked for in what people typed about an order
SHORTEST_DISTINCT = 6  # and of one that is looked for everywhere else
MOST_ORDERS = 5_000


class StillOpen(Conflict):
    """Orders or sales of this customer are not finished. Facts: `orders`, `sales`, their numbers."""


@dataclass(frozen=True, slots=True)
class Order:
    """An order of the customer."""

    id: int
    number: str
    channel: int | None
    external_id: str | None
    status: str
    placed_at: datetime
    total: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Staged:
    """A sale of the customer as the channel told it."""

    id: int
    channel: int
    external_id: str
    number: str
    state: str
    order: int | None


@dataclass(frozen=True)
class Customer:
    """Everything of one customer; `values` are the texts that say who it is."""

    orders: Sequence[Order] = ()
    sales: Sequence[Staged] = ()
    deliveries: Sequence[int] = ()
    emails: frozenset[str] = frozenset()
    phones: frozenset[str] = frozenset()
    values: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.orders or self.sales)

    @property
    def subjects(self) -> list[str]:
        """What findings, events and promises call what is theirs."""
        of_orders = [f"order:{one.id}" for one in self.orders]
        named = {(one.channel, one.external_id) for one in self.orders if one.external_id}
        named |= {(one.channel, one.external_id) for one in self.sales}
        return of_orders + sorted({f"sale:{external_id}" for _, external_id in named})

    @property
    def open_orders(self) -> list[str]:
        """Numbers of orders that are not finished."""
        return [one.number for one in self.orders if one.status in status.OPEN]

    @property
    def open_sales(self) -> list[str]:
        """Numbers of sales that may still become orders."""
        return [one.number for one in self.sales if one.order is None and one.state in staging.WAITING]


@dataclass(slots=True)
class Changed:
    """How many rows were cleared, by table."""

    rows: dict[str, int] = field(default_factory=dict)

    def add(self, table: str, number: int) -> None:
        if number:
            self.rows[table] = self.rows.get(table, 0) + number

    def __bool__(self) -> bool:
        return bool(self.rows)


# -- finding -----------------------------------------------------------------------------------------------------------

_DIGITS = r"regexp_replace(coalesce({}, ''), '\D', '', 'g')"
_PHONES = ", ".join(_DIGITS.format(f"{side}->>'phone'") for side in ("billing", "shipping"))
_SALE_PHONES = ", ".join(_DIGITS.format(f"sale->'{side}'->>'phone'") for side in ("billing", "shipping"))
_ORDERS = "SELECT id, number, channel, external_id, status, placed_at, total, currency FROM orders_order o"
_BUYER = "sale->'buyer'"
_SALES = 'SELECT id, channel_id, external_id, number, state, "order" FROM staging_stagedsale s'


def find(text: str) -> Customer:
    """Who is meant by an e-mail address, a phone number or the number of an order: all their orders and sales, also those
    under another address of the same account at a channel."""
    asked = text.strip()
    emails, phones = set[str](), set[str]()
    if "@" in asked:
        emails.add(asked.lower())
    elif len(digits := re.sub(r"\D", "", asked)) >= SHORTEST_PHONE and not re.search(r"[A-Za-z]", asked):
        phones.add(digits)
    if not asked:
        raise BadInput("say who", place="customer", value="", cure="an e-mail address, a phone or an order number")
    first = sql.rows(
        f"{_ORDERS} WHERE number = %(asked)s OR external_number = %(asked)s"
        " OR (search LIKE ANY(%(like)s) AND lower(buyer->>'email') = ANY(%(emails)s))"
        f" OR (%(phones)s::text[] <> '{{}}' AND ARRAY[{_PHONES}] && %(phones)s::text[])",
        {
            "asked": asked,
            "emails": sorted(emails),
            "like": [f"%{_like(one)}%" for one in emails],
            "phones": sorted(phones),
        },
    )
    waiting = sql.rows(
        f'{_SALES} WHERE "order" IS NULL AND (number = %(asked)s'
        " OR lower(sale->'buyer'->>'email') = ANY(%(emails)s)"
        f" OR (%(phones)s::text[] <> '{{}}' AND ARRAY[{_SALE_PHONES}] && %(phones)s::text[]))",
        {"asked": asked, "emails": sorted(emails), "phones": sorted(phones)},
    )
    return _whole([row[0] for row in first], [row[0] for row in waiting], emails)


def _whole(orders: Sequence[int], waiting: Sequence[int], emails: set[str]) -> Customer:
    """All that belongs to whoever these belong to: the same e-mail address, the same account at a channel."""
    if not orders and not waiting:
        return Customer()
    same = sql.rows(
        "SELECT DISTINCT channel, buyer->>'external_id', lower(buyer->>'email') FROM orders_order WHERE id = ANY(%(o)s)"
        " UNION SELECT DISTINCT channel_id, sale->'buyer'->>'external_id', lower(sale->'buyer'->>'email')"
        " FROM staging_stagedsale WHERE id = ANY(%(s)s)",
        {"o": list(orders), "s": list(waiting)},
    )
    accounts = {(channel, account) for channel, account, _ in same if account and account != "0" and channel}
    emails = emails | {email for _, _, email in same if email}
    about = {
        "o": list(orders), "s": list(waiting), "emails": sorted(emails), "like": [f"%{_like(one)}%" for one in emails],
        "channels": [channel for channel, _ in sorted(accounts)], "accounts": [one for _, one in sorted(accounts)],
        "most": MOST_ORDERS,
    }  # fmt: skip
    rows = sql.rows(
        f"{_ORDERS} WHERE id = ANY(%(o)s) OR (search LIKE ANY(%(like)s) AND lower(buyer->>'email') = ANY(%(emails)s))"
        f" OR {_of_account('channel', 'buyer')}"
        " ORDER BY id LIMIT %(most)s",
        about,
    )
    if len(rows) == MOST_ORDERS:
        raise BadInput("this is no single customer", place="customer", value=f"{MOST_ORDERS} orders", cure="an e-mail")
    theirs = [Order(*row) for row in rows]
    about["orders"] = [one.id for one in theirs]
    sales = sql.rows(
        f'{_SALES} WHERE id = ANY(%(s)s) OR "order" = ANY(%(orders)s) OR ("order" IS NULL AND'
        f" (lower(sale->'buyer'->>'email') = ANY(%(emails)s) OR {_of_account('channel_id', _BUYER)}))"
        " ORDER BY channel_id, external_id",
        about,
    )
    kept = [Staged(*row) for row in sales]
    named = {(one.channel, one.external_id) for one in kept}
    named |= {(one.channel, one.external_id) for one in theirs if one.channel and one.external_id}
    deliveries = sql.rows(
        "SELECT d.id FROM webhooks_delivery d JOIN unnest(%s::bigint[], %s::text[]) AS n (channel, external)"
        " ON d.channel_id = n.channel AND d.external_id = n.external WHERE d.topic = 'sale'"
        " UNION SELECT id FROM webhooks_delivery WHERE EXISTS (SELECT FROM unnest(%s::text[]) AS e (email)"
        "  WHERE position(e.email IN lower(encode(body, 'escape'))) > 0) ORDER BY 1",
        [[channel for channel, _ in sorted(named)], [external for _, external in sorted(named)], sorted(emails)],
    )
    values, phones = _values([one.id for one in theirs], [one.id for one in kept])
    return Customer(
        theirs, kept, [row[0] for row in deliveries], frozenset(emails), frozenset(phones), frozenset(values | emails)
    )


def _of_account(channel: str, buyer: str) -> str:
    """Whether a row's buyer is one of the accounts that are asked for, in SQL."""
    return (
        "EXISTS (SELECT FROM unnest(%(channels)s::bigint[], %(accounts)s::text[]) AS a (at, account)"
        f" WHERE a.at = {channel} AND a.account = {buyer}->>'external_id')"
    )


def _like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _values(orders: Sequence[int], sales: Sequence[int]) -> tuple[set[str], set[str]]:
    """Every text in the structured fields of these rows that says who somebody is, and the phone numbers among them."""
    values: set[str] = set()
    phones: set[str] = set()
    for content in _documents(orders, sales):
        for one in _people(content):
            for key, item in one.items():
                said = item if isinstance(item, list | tuple) else [item]
                for text in (str(part).strip() for part in said if part and key in PERSONAL):
                    values.add(text)
                    if key == "phone":
                        phones.add(text)
    return values, phones


def _documents(orders: Sequence[int], sales: Sequence[int]) -> Iterator[Any]:
    for row in sql.rows(
        "SELECT jsonb_build_array(buyer, billing, shipping, theirs, jsonb_build_object('country', '', 'lines',"
        " jsonb_build_array(pickup_point, note)))::text FROM orders_order WHERE id = ANY(%(o)s)"
        " UNION ALL SELECT facts::text FROM orders_history WHERE order_id = ANY(%(o)s)"
        " UNION ALL SELECT jsonb_build_array(sale, jsonb_build_object('country', '', 'lines',"
        " jsonb_build_array(sale->>'pickup_point', sale->>'note', buyer)))::text"
        " FROM staging_stagedsale WHERE id = ANY(%(s)s)",
        {"o": list(orders), "s": list(sales)},
    ):
        yield json.loads(row[0])


# -- who is in a document ----------------------------------------------------------------------------------------------

#: Fields of an address or a buyer that are erased; cities and post codes only where they stand in one.
PERSONAL = ("name", "company", "lines", "phone", "email", "vat_number")
_ADDRESS = frozenset({"lines", "postcode", "city"})


def _is_person(content: Mapping[str, Any]) -> bool:
    """Whether this is an address or a buyer, by its fields: kept without those that are empty."""
    keys = set(content)
    return ("country" in keys and bool(keys & _ADDRESS)) or "email" in keys or ({"phone"} < keys and "name" in keys)


def _people(content: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(content, dict):
        if _is_person(content):
            yield content
        for part in content.values():
            yield from _people(part)
    elif isinstance(content, list):
        for part in content:
            yield from _people(part)


class _Mask:
    """Takes the values out of texts, and whole addresses out of documents."""

    def __init__(self, values: Iterable[str], *, is_careful: bool = False) -> None:
        """`is_careful`: only values that mean nobody else: a company called Rose is not taken out of “Rose water”."""
        words = {one for one in values if len(one) >= SHORTEST_WORD}
        if is_careful:
            words = {one for one in words if len(one) >= SHORTEST_DISTINCT and re.search(r"[\s@\d]", one)}
        longest_first = sorted(words, key=len, reverse=True)
        self._any = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE) if words else None

    def text(self, text: str) -> str:
        return self._any.sub(GONE, text) if self._any else text

    def content(self, content: Any) -> Any:
        if isinstance(content, str):
            return self.text(content)
        if isinstance(content, list):
            return [self.content(part) for part in content]
        if isinstance(content, dict):
            if _is_person(content):
                return {"country": content["country"]} if content.get("country") else {}
            return {self.text(key): self.content(part) for key, part in content.items()}
        return content


def without_people(content: Any) -> Any:
    """Facts for whoever has no need to know who bought: of addresses and buyers in them the country is left."""
    return _Mask(()).content(content)


# -- erasing -----------------------------------------------------------------------------------------------------------

#: Free text and facts of the rows that are theirs: table, how its rows are found, texts, documents.
_OWN: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("orders_order", "id = ANY(%(orders)s)", ("hold_reason", "carrier_name", "payment_name"), ()),
    ("orders_line", "order_id = ANY(%(orders)s)", ("name",), ()),
    ("orders_charge", "order_id = ANY(%(orders)s)", ("name",), ()),
    ("orders_payment", "order_id = ANY(%(orders)s)", ("label", "reference"), ()),
    ("orders_history", "order_id = ANY(%(orders)s)", ("reason",), ("facts",)),
    ("shipments_shipment", "order_id = ANY(%(orders)s)", ("carrier_name", "tracking_url"), ()),
    ("staging_stagedsale", "id = ANY(%(sales)s)", ("status_name",), ("anomalies", "repairs", "sale")),
    ("events_event", "subject = ANY(%(subjects)s)", (), ("facts",)),
    ("engine_finding", "subject = ANY(%(subjects)s)", ("closed_note",), ("facts",)),
    ("engine_effect", "subject = ANY(%(subjects)s)", ("reason",), ("facts",)),
)
#: Tables whose texts are people's own words.
_TYPED = frozenset({"orders_order", "orders_history", "engine_finding", "engine_effect"})
#: Where an e-mail address or a phone number may have come to stand in what is somebody else's or nobody's.
_ANYWHERE: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("orders_order", ("hold_reason",), ()),
    ("orders_history", ("reason",), ("facts",)),
    ("events_event", (), ("facts",)),
    ("engine_finding", ("closed_note",), ("facts",)),
    ("engine_effect", ("reason",), ("facts",)),
    ("engine_planrow", ("label", "old", "new"), ("facts",)),
    ("engine_run", (), ("error", "planned", "state")),
)


def erase(customer: Customer, *, actor: Actor, at: datetime) -> Changed:
    """Take this customer out of everything that is kept, in the caller's transaction. What is done already is not done again.

    Refused while an order is not finished: goods have to arrive somewhere, and money to be asked of somebody.
    """
    if customer.open_orders or customer.open_sales:
        raise StillOpen(
            "not everything of this customer is finished",
            orders=customer.open_orders,
            sales=customer.open_sales,
            cure="ship or cancel these first; reject the sales that wait",
        )
    about = {
        "orders": sorted(one.id for one in customer.orders),
        "sales": sorted(one.id for one in customer.sales),
        "subjects": customer.subjects,
        "at": at,
    }
    sql.execute(  # in everybody's order: staged rows, then orders
        "SELECT FROM staging_stagedsale WHERE id = ANY(%(sales)s) ORDER BY channel_id, external_id FOR UPDATE", about
    )
    sql.execute("SELECT FROM orders_order WHERE id = ANY(%(orders)s) ORDER BY id FOR UPDATE", about)
    typed, mask, changed = _Mask(customer.values), _Mask(customer.values, is_careful=True), Changed()
    cleared = _orders(about)
    changed.add("orders", len(cleared))
    changed.add("sales", _sales(customer, mask))
    changed.add("deliveries", _deliveries(customer))
    for table, where, texts, documents in _OWN:
        changed.add(table, _rows(table, where, about, texts, documents, typed if table in _TYPED else mask, mask))
    _everywhere(customer, changed)
    changed.add("engine_input", _inputs(customer))
    for order in cleared:
        status.note(order, "erased", actor=actor, at=at)
    if changed:
        facts = {"orders": [one.number for one in customer.orders], "rows": sum(changed.rows.values())}
        record(ERASED, facts, actor=actor, at=at)
    return changed


def _orders(about: Mapping[str, Any]) -> list[int]:
    alone = "CASE WHEN {0} IS NULL OR {0} = 'null' THEN {0} ELSE jsonb_build_object('country', coalesce({0}->>'country', '')) END"
    found = sql.rows(
        f"""
        UPDATE orders_order SET buyer = '{{}}', billing = {alone.format("billing")}, shipping = {alone.format("shipping")},
            pickup_point = '', note = '', search = lower(concat_ws(' | ', number, nullif(external_number, ''))),
            theirs = CASE WHEN theirs->>'shipping' IS NULL THEN theirs ELSE jsonb_set(theirs, '{{shipping}}',
                jsonb_strip_nulls(jsonb_build_object('country', nullif(theirs->'shipping'->>'country', '')))) END,
            changed_at = %(at)s
        WHERE id = ANY(%(orders)s) AND (buyer <> '{{}}' OR pickup_point <> '' OR note <> ''
            OR {_more_than_a_country("billing")} OR {_more_than_a_country("shipping")})
        RETURNING id
        """,
        dict(about),
    )
    # An address without a country leaves nothing behind, as a comparison with the channel's own version has it.
    sql.execute("UPDATE orders_order SET theirs = jsonb_set(theirs, '{shipping}', 'null')"
                " WHERE id = ANY(%(orders)s) AND theirs->'shipping' = '{}'", dict(about))  # fmt: skip
    return sorted(row[0] for row in found)


def _more_than_a_country(column: str) -> str:
    return f"jsonb_typeof({column}) = 'object' AND {column} - 'country' <> '{{}}'"


def _sales(customer: Customer, mask: _Mask) -> int:
    number = 0
    for key, text, raw, repairs in sql.rows(
        "SELECT id, sale::text, raw, repairs::text FROM staging_stagedsale WHERE id = ANY(%s)",
        [[one.id for one in customer.sales]],
    ):
        sale = sale_from_text(text)
        known = json.loads(repairs)
        clean = sale_from_text(json.dumps(mask.content(msgspec.to_builtins(erased.without_buyer(sale)))))
        if clean == sale and not raw and erased.is_erased(known):
            continue
        number += sql.execute(
            "UPDATE staging_stagedsale SET sale = %s, raw = '', buyer = '', fingerprint = %s, repairs = %s WHERE id = %s",
            [
                to_text(clean),
                ids.fingerprint(msgspec.json.encode(clean)),
                sql.Jsonb({**known, erased.ERASED: True}),
                key,
            ],
        )
    return number


def _deliveries(customer: Customer) -> int:
    return sql.execute(
        "UPDATE webhooks_delivery SET body = '' WHERE id = ANY(%s) AND body <> ''", [list(customer.deliveries)]
    )


def _rows(
    table: str,
    where: str,
    about: Mapping[str, Any],
    texts: Sequence[str],
    documents: Sequence[str],
    of_texts: _Mask,
    of_documents: _Mask,
) -> int:
    columns = [*texts, *documents]
    shown = [*texts, *(f"{name}::text" for name in documents)]
    number = 0
    for key, *before in sql.rows(f"SELECT id, {', '.join(shown)} FROM {table} WHERE {where} ORDER BY id", dict(about)):
        after = [None if one is None else of_texts.text(one) for one in before[: len(texts)]]
        after += [_masked(one, of_documents) for one in before[len(texts) :]]
        if after != before:
            assigned = ", ".join(f"{name} = %s" for name in columns)
            number += sql.execute(f"UPDATE {table} SET {assigned} WHERE id = %s", [*after, key])
    return number


def _masked(text: str | None, mask: _Mask) -> str | None:
    if text is None:
        return None
    content = json.loads(text)
    clean = mask.content(content)
    return text if clean == content else json.dumps(clean, ensure_ascii=False)


def _everywhere(customer: Customer, changed: Changed) -> None:
    plain = {one for one in customer.emails | customer.phones if len(one) >= SHORTEST_PHONE}
    if not plain:
        return
    mask = _Mask(plain)
    about = {"like": [f"%{_like(one)}%" for one in sorted(plain)]}
    for table, texts, documents in _ANYWHERE:
        columns = [*texts, *(f"{name}::text" for name in documents)]
        where = " OR ".join(f"{column} ILIKE ANY(%(like)s)" for column in columns)
        changed.add(table, _rows(table, where, about, texts, documents, mask, mask))


def _inputs(customer: Customer) -> int:
    """What runs went by is packed: a run that met this customer loses all of it, and can be replayed no more."""
    needles = [one.encode() for one in customer.values if len(one) >= SHORTEST_PHONE]
    needles += [json.dumps(one)[1:-1].encode() for one in customer.values if len(one) >= SHORTEST_PHONE]
    channels = sorted({one.channel for one in customer.sales} | {one.channel for one in customer.orders if one.channel})
    if not needles or not channels:
        return 0
    any_of = re.compile(b"|".join(map(re.escape, set(needles))), re.IGNORECASE)
    met: set[int] = set()
    with sql.stream(
        "SELECT i.run_id, i.content FROM engine_input i JOIN engine_run r ON r.id = i.run_id"
        " JOIN engine_flow f ON f.id = r.flow_id WHERE f.channel_id = ANY(%s)",
        [channels],
        size=20,
    ) as pieces:
        met.update(run for run, content in pieces if run not in met and any_of.search(zlib.decompress(bytes(content))))
    return sql.execute("DELETE FROM engine_input WHERE run_id = ANY(%s)", [sorted(met)])


# -- handing over ------------------------------------------------------------------------------------------------------

_PARTS: tuple[tuple[str, str], ...] = (
    ("orders", "SELECT to_jsonb(t) FROM orders_order t WHERE id = ANY(%(orders)s) ORDER BY id"),
    ("lines", "SELECT to_jsonb(t) FROM orders_line t WHERE order_id = ANY(%(orders)s) ORDER BY order_id, position"),
    ("charges", "SELECT to_jsonb(t) FROM orders_charge t WHERE order_id = ANY(%(orders)s) ORDER BY id"),
    ("payments", "SELECT to_jsonb(t) FROM orders_payment t WHERE order_id = ANY(%(orders)s) ORDER BY id"),
    ("history", "SELECT to_jsonb(t) FROM orders_history t WHERE order_id = ANY(%(orders)s) ORDER BY id"),
    ("shipments", "SELECT to_jsonb(t) FROM shipments_shipment t WHERE order_id = ANY(%(orders)s) ORDER BY id"),
    ("sales", "SELECT to_jsonb(t) - 'raw' FROM staging_stagedsale t WHERE id = ANY(%(sales)s) ORDER BY id"),
    ("events", "SELECT to_jsonb(t) FROM events_event t WHERE subject = ANY(%(subjects)s) ORDER BY id"),
    ("findings", "SELECT to_jsonb(t) FROM engine_finding t WHERE subject = ANY(%(subjects)s) ORDER BY id"),
    ("promises", "SELECT to_jsonb(t) FROM engine_effect t WHERE subject = ANY(%(subjects)s) ORDER BY id"),
    ("deliveries", "SELECT to_jsonb(t) - 'body' FROM webhooks_delivery t WHERE id = ANY(%(deliveries)s) ORDER BY id"),
)  # fmt: skip


def export(customer: Customer, into: IO[bytes], *, actor: Actor, at: datetime) -> None:
    """Everything that is kept about this customer as one ZIP: for programs (JSON), spreadsheets (CSV) and people (text)."""
    about = {
        "orders": [one.id for one in customer.orders], "sales": [one.id for one in customer.sales],
        "subjects": customer.subjects, "deliveries": list(customer.deliveries),
    }  # fmt: skip
    data = {name: [_content(row[0]) for row in sql.rows(query, about)] for name, query in _PARTS}
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.json", json.dumps(data, ensure_ascii=False, indent=1))
        archive.writestr("orders.csv", _csv(data["orders"], _ORDER_COLUMNS))
        archive.writestr("lines.csv", _csv(data["lines"], _LINE_COLUMNS))
        archive.writestr("addresses.csv", _csv(list(_addresses(data["orders"])), _ADDRESS_COLUMNS))
        archive.writestr("summary.txt", "\n".join(_summary(customer, data)) + "\n")
        for place, (raw,) in enumerate(
            sql.rows("SELECT raw FROM staging_stagedsale WHERE id = ANY(%(sales)s) AND raw <> '' ORDER BY id", about),
            1,
        ):
            archive.writestr(f"as-received/sale-{place}.txt", raw)  # by our own count: their ids are anybody's words
        for place, (body,) in enumerate(
            sql.rows(
                "SELECT body FROM webhooks_delivery WHERE id = ANY(%(deliveries)s) AND body <> '' ORDER BY id", about
            ),
            1,
        ):
            archive.writestr(f"as-received/delivery-{place}.txt", bytes(body))
    record(EXPORTED, {"orders": [one.number for one in customer.orders]}, actor=actor, at=at)


def _content(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


_ORDER_COLUMNS = ("number", "external_number", "placed_at", "status", "total", "currency", "note", "pickup_point")
_LINE_COLUMNS = ("order_id", "position", "sku", "name", "quantity", "unit_price", "total")
_ADDRESS_COLUMNS = (
    "number",
    "use",
    "name",
    "company",
    "lines",
    "postcode",
    "city",
    "state",
    "country",
    "phone",
    "email",
)


def _addresses(orders: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for order in orders:
        for use in ("buyer", "billing", "shipping"):
            if content := order.get(use):
                lines = ", ".join(content.get("lines") or ())
                yield {**content, "number": order["number"], "use": use, "lines": lines}


def _csv(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    return spreadsheets.lines([columns, *([row.get(name) for name in columns] for row in rows)])


def _summary(customer: Customer, data: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[str]:
    yield f"Orders: {len(data['orders'])}. Sales as the shops told them: {len(data['sales'])}."
    for order in data["orders"]:
        yield ""
        yield f"Order {order['number']} ({order['external_number']}), {order['placed_at'][:10]}, {order['status']}"
        for line in (one for one in data["lines"] if one["order_id"] == order["id"]):
            yield f"  {line['quantity']} x {line['name']} = {line['total']} {order['currency']}"
        yield f"  Total {order['total']} {order['currency']}"
        for use in ("buyer", "billing", "shipping"):
            parts = [str(part) for part in _flat(order.get(use)) if part]
            if parts:
                yield f"  {use.capitalize()}: {', '.join(parts)}"
        if order.get("note"):
            yield f"  Note: {order['note']}"


def _flat(content: Any) -> Iterator[Any]:
    if isinstance(content, dict):
        for part in content.values():
            yield from _flat(part)
    elif isinstance(content, list):
        for part in content:
            yield from _flat(part)
    else:
        yield content
