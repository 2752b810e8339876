"""One small declaration per list, so that every list filters, sorts, searches, counts and pages in the same way.

Filters and sorts come from a declared set, each backed by an index; pages are keyset pages; counting stops early and a
search looks up a bounded number of rows, and the page says so.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db.models import BigIntegerField, BooleanField, F, Func, Model, OrderBy, QuerySet, Value
from django.db.models.expressions import RawSQL
from django.http import HttpRequest, QueryDict
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from comptoir.commerce.catalog.records import Found
from comptoir.kit import paging, sql
from comptoir.kit.errors import BadInput
from comptoir.web import cells

PAGE = 50
COUNT_TO = 10_000
PROBED_TO = 1_000  # where something is looked up for each row that is met
LOOKED_AT = 5_000  # rows for which it is looked up: were it true of few, a page would look at all rows for its own
SEARCH_FROM = 3
SEARCH_TO = 250


@dataclass(frozen=True)
class Column:
    """A column: its head, how a row fills it, and where it stands on a phone (a b above, c d below, else hidden)."""

    title: Any
    cell: Callable[[Any], Any]
    phone: str = ""
    is_number: bool = False


@dataclass(frozen=True)
class Sort:
    """An order of rows; `fields` go all one way, end with a unique one, and none may be null."""

    name: str
    title: Any
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Filter:
    """A choice that narrows the list. `probe`: what is looked up elsewhere for each row that is met, given one of its choices, as a
    condition in SQL on `{row}.id`; a page looks at `LOOKED_AT` rows for it, and the next page goes on behind them. `count_to`: where
    counting stops.

    `leads`: what its index has before the fields of the sort, given whether these go down. Where `narrow` says it as a range,
    no other index has that order, so that the planner cannot walk another one past all rows but ours.
    """

    name: str
    title: Any
    choices: Callable[[], Sequence[tuple[str, Any]]]
    narrow: Callable[[QuerySet[Any], str], QuerySet[Any]]
    probe: Callable[[str], str] = lambda value: ""
    count_to: int = COUNT_TO
    leads: Callable[[bool], OrderBy] | None = None


@dataclass(frozen=True)
class Empty:
    """What a list without rows says: what belongs here and how to get the first one."""

    title: Any
    text: Any
    url: str = ""  # name of a page
    button: Any = ""


@dataclass(frozen=True)
class Shown:
    """One page of a list, ready to be drawn."""

    listing: Listing
    items: Sequence[Any]
    body: SafeString  # the rows of the table; empty where there are none
    filters: Sequence[dict[str, Any]]
    sort: str
    search: str
    note: str
    count: str
    is_narrowed: bool
    can_search: bool
    next: str
    looks_on: bool  # nothing was found so far: the next page is asked for without a person
    is_first: bool
    first: str


@dataclass(frozen=True)
class Listing:
    """A list as declared. `search` turns a text into ids of what it may mean, and `found_in` says which column has them."""

    columns: Sequence[Column]
    sorts: Sequence[Sort]
    empty: Empty
    filters: Sequence[Filter] = ()
    search: Callable[[str], Found] | None = None
    found_in: str = "pk"
    search_hint: Any = ""
    selects: str = ""  # id of the form that bulk buttons belong to; empty: rows cannot be picked
    size: int = PAGE
    fill: Callable[[Sequence[Any]], None] = field(default=lambda rows: None)  # adds what a page of rows needs, set-wise

    def show(self, request: HttpRequest, rows: QuerySet[Any], *, count_to: int = COUNT_TO) -> Shown:
        """The page that the address asks for."""
        asked = request.GET
        chosen, rows = self._narrow(rows, asked)
        text, note, rows = self._search(rows, asked)
        is_found = len(text) >= SEARCH_FROM
        probes = [probe for each in self.filters if each.name in chosen and (probe := each.probe(chosen[each.name]))]
        count_to = min([count_to, *(each.count_to for each in self.filters if each.name in chosen)])
        if probes and is_found:  # these are few
            rows, probes = _probed(rows, probes), []
        sort = next((s for s in self.sorts if s.name == asked.get("sort")), self.sorts[0])
        leads = () if is_found else self._leads(sort, chosen)
        order: Sequence[str | OrderBy] = [*leads, *sort.fields]
        if is_found:
            order = [_unindexed(name) for name in sort.fields]
        try:
            page = _page(rows, sort, order, asked.get("after", ""), self.size, probes)
        except BadInput as wrong:  # a place that somebody made up, or of another order of rows: the first page, and why
            page, note = _page(rows, sort, order, "", self.size, probes), _(str(wrong))
        if probes and page.after and len(page.items) < self.size:
            looked = _("%(n)s rows were looked at; the next page goes on behind them.") % {"n": cells.number(LOOKED_AT)}
            note = f"{note} · {looked}" if note else looked
        self.fill(page.items)
        is_whole = page.after is None and not asked.get("after")  # nothing is left to count
        return Shown(
            listing=self,
            items=page.items,
            body=self._body(page.items),
            filters=[{"filter": f, "choices": f.choices(), "value": chosen.get(f.name, "")} for f in self.filters],
            sort=sort.name,
            search=text,
            note=note,
            count=_said(len(page.items), COUNT_TO)
            if is_whole
            else _counted(rows, order if leads or probes else (), count_to, probes),
            is_narrowed=bool(chosen or text),
            can_search=self.search is not None,
            next=_with(asked, after=page.after) if page.after else "",
            looks_on=bool(page.after and not page.items),
            is_first=not asked.get("after"),
            first=_with(asked, after=None),
        )

    def _leads(self, sort: Sort, chosen: Container[str]) -> Sequence[OrderBy]:
        leads = [each.leads for each in self.filters if each.name in chosen and each.leads]
        return [lead(sort.fields[0].startswith("-")) for lead in leads[:1]]

    def narrowed(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Every row that the address asks for, whatever its page: for a file."""
        chosen, rows = self._narrow(rows, request.GET)
        _text, _note, rows = self._search(rows, request.GET)
        return _probed(rows, [each.probe(chosen[each.name]) for each in self.filters if each.name in chosen])

    def _body(self, items: Sequence[Any]) -> SafeString:
        """Drawn here and not in the template, where a page of cells takes longer than all else that the page does."""
        picked = '<td class="ps"><input type="checkbox" name="picked" value="{}" form="{}" aria-label="{}"></td>'
        pick = _("Pick this row")
        classes = [f"{'number ' if c.is_number else ''}{f'p{c.phone}' if c.phone else ''}" for c in self.columns]
        rows: list[str] = []
        for row in items:
            rows.append("<tr>")
            if self.selects:
                rows.append(format_html(picked, row.pk, self.selects, pick))
            for name, column in zip(classes, self.columns, strict=True):
                rows.append(f'<td class="{name}">{cells.escaped(column.cell(row))}</td>')
            rows.append("</tr>\n")
        return SafeString("".join(rows))  # every value has been escaped above

    def _narrow(self, rows: QuerySet[Any], asked: QueryDict) -> tuple[dict[str, str], QuerySet[Any]]:
        chosen: dict[str, str] = {}
        for each in self.filters:
            value = asked.get(each.name, "")
            if value and value in {str(v) for v, _words in each.choices()}:
                chosen[each.name] = value
                rows = each.narrow(rows, value)
        return chosen, rows

    def _search(self, rows: QuerySet[Any], asked: QueryDict) -> tuple[str, str, QuerySet[Any]]:
        text = typed(asked.get("q", ""))
        if not text or self.search is None:
            return "", "", rows
        if len(text) < SEARCH_FROM:
            return text, _("Type at least %(n)d letters to search.") % {"n": SEARCH_FROM}, rows
        found = self.search(text)
        is_cut = found.is_cut or len(found.ids) > SEARCH_TO  # a search of the catalogue looks at more, the best first
        note = _("More than %(n)d match: these are some of them.") % {"n": SEARCH_TO} if is_cut else ""
        return text, note, rows.filter(_Among(self.found_in, found.ids[:SEARCH_TO]))


def typed(text: str) -> str:
    """What a person typed to search for, as PostgreSQL can take it."""
    return text.replace("\0", "").strip()[:80]


def bounded(rows: QuerySet[Any]) -> Found:
    """The ids of the rows that a search found, as many as are looked at."""
    ids = list(rows.order_by().values_list("pk", flat=True)[: SEARCH_TO + 1])
    return Found(tuple(ids[:SEARCH_TO]), len(ids) > SEARCH_TO)


def _said(number: int, most: int) -> str:
    return ngettext("%(n)s row", "%(n)s rows", number) % {"n": cells.counted(number, most)}


def counted(number: int) -> str:
    """A count as pages with lists say it."""
    return cells.counted(number, COUNT_TO)


def _counted(rows: QuerySet[Any], order: Sequence[str | OrderBy], most: int, probes: Sequence[str]) -> str:
    """In no order where there may be none, so that the quickest is taken. The first that are looked at are those of the list; and
    the planner takes many rows to be there for a filter that leads, whether they are or not, and would look at all for them."""
    rows = rows.order_by(*order)
    if not probes:
        return _said(rows[: most + 1].count(), most)
    met, behind = _met(rows, (), probes, most + 1)
    said = _said(len(met), most)
    if behind is None or len(met) > most:
        return said
    if met:
        return _("at least %(rows)s") % {"rows": said}
    return _("none among the first %(n)s") % {"n": cells.number(LOOKED_AT)}


def _page(
    rows: QuerySet[Any],
    sort: Sort,
    order: Sequence[str | OrderBy],
    after: str,
    size: int,
    probes: Sequence[str],
) -> paging.Slice[Any]:
    behind = rows
    if after:
        behind = rows.filter(_behind(rows.model, sort.fields, paging.decode(after, len(sort.fields))))
    behind = behind.order_by(*order)
    if probes:
        fields = [name.lstrip("-") for name in sort.fields]
        met, last = _met(behind, fields, probes, size + 1)
        last = met[size - 1] if len(met) > size else last
        items = list(rows.filter(pk__in=[its["id"] for its in met[:size]]).order_by(*order))
        return paging.Slice(items, None if last is None else _said_place([last[name] for name in fields]))
    items = list(behind[: size + 1])
    if len(items) <= size:
        return paging.Slice(items, None)
    return paging.Slice(items[:size], _said_place([_value(items[size - 1], name) for name in sort.fields]))


def _said_place(values: Sequence[Any]) -> str:
    return paging.encode([_text(value) for value in values])


# The rows come as the statement within orders them, one at a time, and looking them up ends with the last that is wanted.
_MET = """
SELECT {probes}, one.* FROM (
    SELECT row_number() OVER () AS number, its.* FROM ({rows}) its
) one WHERE {probes} OR one.number >= {looked_at} LIMIT {most}
"""


def _met(
    rows: QuerySet[Any], fields: Sequence[str], probes: Sequence[str], most: int
) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """Id and fields of the first of these rows that the probes are true of; and those of the one that was looked at last, where
    there are more behind it."""
    names = list(dict.fromkeys(["id", *fields]))
    text, given = rows[: LOOKED_AT + 1].values(*names).query.sql_with_params()
    conditions = " AND ".join(f"({probe.format(row='one')})" for probe in probes)
    statement = _MET.format(rows=text, probes=conditions, looked_at=LOOKED_AT, most=most + 2)
    found = [
        (number, is_met, dict(zip(names, its, strict=True))) for is_met, number, *its in sql.rows(statement, given)
    ]
    met = [its for number, is_met, its in found if is_met and number <= LOOKED_AT]
    is_more = any(number > LOOKED_AT for number, _is_met, _its in found)
    return met[:most], next((its for number, _is_met, its in found if is_more and number == LOOKED_AT), None)


def _probed(rows: QuerySet[Any], probes: Sequence[str]) -> QuerySet[Any]:
    """All rows that the probes are true of."""
    for probe in filter(None, probes):
        rows = rows.filter(RawSQL(probe.format(row=rows.model._meta.db_table), (), BooleanField()))  # noqa: S611 - a filter's own
    return rows


class _Compared(Func):
    """Rows behind a place, (a, b) > (x, y): an index on a and b goes there at once, however many rows share their a."""

    output_field = BooleanField()

    def __init__(self, names: Sequence[str], values: Sequence[Any], way: str) -> None:
        self.way = way
        super().__init__(*(F(name) for name in names), *(Value(value) for value in values))

    def as_sql(  # type: ignore[override]  # Func's own takes shapes that this one has no use for
        self, compiler: Any, connection: Any, **_context: Any
    ) -> tuple[str, tuple[Any, ...]]:
        """Both sides as rows."""
        made = [compiler.compile(expression) for expression in self.get_source_expressions()]
        half = len(made) // 2
        left, right = (", ".join(text for text, _given in side) for side in (made[:half], made[half:]))
        return f"({left}) {self.way} ({right})", tuple(one for _text, given in made for one in given)


class _Among(Func):
    """Rows with one of these ids, which go there as one array: hundreds of parameters take longer than the rows."""

    template = "%(expressions)s"
    arg_joiner = " = "
    output_field = BooleanField()

    def __init__(self, name: str, ids: Sequence[int]) -> None:
        super().__init__(F(name), Func(Value(list(ids), ArrayField(BigIntegerField())), function="ANY"))


def alike(rows: QuerySet[Any], **values: Any) -> QuerySet[Any]:
    """Rows that have these values, said as a range: for an order that begins with these fields the index of both is taken.
    Said as equal they fall out of the order, and the planner may walk an index of the rest past all other rows."""
    names, wanted = list(values), list(values.values())
    return rows.filter(_Compared(names, wanted, ">="), _Compared(names, wanted, "<="))


def _behind(model: type[Model], fields: Sequence[str], place: Sequence[str | None]) -> _Compared:
    names = [name.lstrip("-") for name in fields]
    values = [_typed(model, name, text) for name, text in zip(names, place, strict=True)]
    return _Compared(names, values, "<" if fields[0].startswith("-") else ">")


def _unindexed(field: str) -> OrderBy:
    """The field as no index has it. What a search found is fetched and sorted: the planner would rather walk an index of all
    rows until it has met enough of them."""
    return OrderBy(Func(F(field.lstrip("-")), template="(SELECT %(expressions)s)"), descending=field.startswith("-"))


def _typed(model: type[Model], name: str, text: str | None) -> Any:
    known = {getattr(f, "attname", f.name): f for f in model._meta.get_fields()}
    try:
        kind = known.get(name)
        value = kind.to_python(text) if kind is not None and hasattr(kind, "to_python") else text
    except ValidationError as error:
        raise BadInput(
            "not a place in this list", place="after", value=str(text), cure="start at the first page"
        ) from error
    if value is None:
        raise BadInput("not a place in this list", place="after", value=str(text), cure="start at the first page")
    return value


def _value(row: Any, name: str) -> Any:
    return reduce(getattr, name.lstrip("-").split("__"), row)


def _text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _with(asked: QueryDict, **changes: str | None) -> str:
    query = asked.copy()
    for name, value in changes.items():
        query.pop(name, None)
        if value is not None:
            query[name] = value
    return "?" + query.urlencode()
