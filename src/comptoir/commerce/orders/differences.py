"""What the channel changed in a sale since we last agreed on it. We compare theirs with theirs, so that what people and
picking change here is never mistaken for a change there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol


class LineThere(Protocol):
    """A line of a sale, as far as comparing goes."""

    @property
    def external_id(self) -> str: ...
    @property
    def sku(self) -> str: ...
    @property
    def quantity(self) -> Decimal: ...
    @property
    def refunded(self) -> Decimal: ...


@dataclass(frozen=True, slots=True)
class Differences:
    """Both versions of what differs. Empty when nothing does."""

    lines: list[dict[str, Any]] = field(default_factory=list)  # {"line", "sku", "before", "after"}; null: not there
    fields: dict[str, list[Any]] = field(default_factory=dict)  # {"shipping": [before, after]}

    def __bool__(self) -> bool:
        return bool(self.lines or self.fields)

    @property
    def facts(self) -> dict[str, Any]:
        """For a finding."""
        return {"lines": self.lines, "fields": self.fields}


def snapshot(lines: Iterable[LineThere], shipping: Mapping[str, Any] | None, total: Decimal) -> dict[str, Any]:
    """The part of the channel's version that an order depends on, kept with the order as plain JSON."""
    return {
        "lines": {
            line.external_id or f"#{place}": [line.sku, _plain(line.quantity), _plain(line.refunded)]
            for place, line in enumerate(lines)
        },
        "shipping": _address(shipping),
        "total": _plain(total),
    }


def snapshot_of_sale(sale: Mapping[str, Any]) -> dict[str, Any]:
    """The same from a neutral sale's JSON (`channels.records.to_json`)."""
    return {
        "lines": {
            line.get("external_id") or f"#{place}": [
                line.get("sku", ""),
                _plain(line["quantity"]),
                _plain(line.get("refunded", 0)),
            ]
            for place, line in enumerate(sale["lines"])
        },
        "shipping": _address(sale.get("shipping")),
        "total": _plain(sale["total"]),
    }


def compare(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> Differences:
    """What differs between two snapshots; nothing where we never knew theirs."""
    if before is None:
        return Differences()
    lines = []
    for line in {**before["lines"], **after["lines"]}:
        was, is_ = before["lines"].get(line), after["lines"].get(line)
        if was != is_:
            lines.append({"line": line, "sku": (is_ or was)[0], "before": _line(was), "after": _line(is_)})
    fields = {name: [before[name], after[name]] for name in ("shipping", "total") if before[name] != after[name]}
    return Differences(lines, fields)


def units(snapshot: Mapping[str, Any]) -> dict[str, Decimal]:
    """How many units of each line the channel still sells: what was ordered less what was given back."""
    return {
        line: Decimal(quantity) - Decimal(refunded) for line, (_sku, quantity, refunded) in snapshot["lines"].items()
    }


def _line(content: list[str] | None) -> dict[str, str] | None:
    return None if content is None else {"sku": content[0], "quantity": content[1], "refunded": content[2]}


def _plain(number: Decimal | str | int) -> str:
    """A number with one spelling: 2, 2.0 and 2.000 are no change."""
    return format(Decimal(number).normalize() + 0, "f")


def _address(address: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Without what is empty, so that a field which a newer connector adds is no change of the address."""
    if address is None:
        return None
    return {key: list(value) if isinstance(value, tuple) else value for key, value in address.items() if value} or None
