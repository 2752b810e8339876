"""Lists of the API: a page, and the opaque place after it to ask the next one with."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.http import HttpResponse
from ninja import Field, Query, Schema
from pydantic import PlainSerializer

from comptoir.kit import paging
from comptoir.kit.errors import BadInput

LARGEST = 200

T = TypeVar("T")
M = TypeVar("M", bound=Model)

#: Never a float on the wire: money and quantities are text with a point.
Number = Annotated[Decimal, PlainSerializer(lambda value: format(value, "f"), return_type=str)]
#: Always UTC, ISO 8601.
Moment = Annotated[datetime, PlainSerializer(lambda value: value.isoformat().replace("+00:00", "Z"), return_type=str)]


class Page(Schema, Generic[T]):
    """Part of a list."""

    items: list[T]
    after: str | None = Field(description="Ask again with this to get the next page; null on the last one.")


class Place(Schema):
    """Where in a list, and how much of it."""

    after: str | None = Field(None, description="`after` of the page before.")
    limit: int = Field(50, ge=1, le=LARGEST)


Asked = Query[Place]


def page(rows: QuerySet[M], fields: Sequence[str], place: Place, shown: Callable[[M], T]) -> dict[str, Any]:
    """The rows after a place, in the order of `fields`: all one way, the last one unique, each pair with its index."""
    downwards = fields[0].startswith("-")
    names = [field.removeprefix("-") for field in fields]
    if place.after is not None:
        rows = rows.filter(_beyond(rows.model, names, paging.decode(place.after, len(names)), downwards))
    found = list(rows.order_by(*fields)[: place.limit + 1])
    items = found[: place.limit]
    more = len(found) > place.limit
    return {
        "items": [shown(row) for row in items],
        "after": paging.encode([_text(getattr(items[-1], name)) for name in names]) if more else None,
    }


def sent(answer: dict[str, Any]) -> HttpResponse:
    """An answer of many values, written at once: what its schema says is for those who read it, and for the tests."""
    return HttpResponse(json.dumps(answer, default=_written), content_type="application/json; charset=utf-8")


def _written(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    raise TypeError(f"{type(value).__name__} has no form in the API")


def _beyond(model: type[Model], names: Sequence[str], texts: Sequence[str | None], downwards: bool) -> Q:
    way = "lt" if downwards else "gt"
    try:
        values = [model._meta.get_field(name).to_python(text) for name, text in zip(names, texts, strict=True)]  # type: ignore[union-attr]
    except (ValidationError, ValueError) as error:
        raise BadInput(
            "not a place in this list", place="after", value=texts, cure="start at the first page"
        ) from error
    if None in values:
        raise BadInput("not a place in this list", place="after", value=texts, cure="start at the first page")
    beyond = Q(**{f"{names[0]}__{way}e": values[0]})  # what an index can start from
    if len(names) == 2:
        return beyond & (Q(**{f"{names[0]}__{way}": values[0]}) | Q(**{f"{names[1]}__{way}": values[1]}))
    return Q(**{f"{names[0]}__{way}": values[0]})


def _text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
