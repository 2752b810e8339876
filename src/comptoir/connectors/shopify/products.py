"""Products with their variants and pictures: changed ones by pages, all of them by a bulk operation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from comptoir.channels.errors import Missing, NotLetIn, NotUnderstood, TryLater
from comptoir.channels.records import Odd, Page, Product
from comptoir.connectors.shopify import mapping, operations, reading, wire
from comptoir.connectors.shopify.client import PageSize, ShopifyClient
from comptoir.connectors.shopify.lookups import Lookups
from comptoir.kit import clock

PIECE = 1_000_000  # bytes of a bulk result asked for at once: well under what a door lets in
PAGE = 100  # products of a bulk result on one page
LOOK_AGAIN = 5.0  # seconds until a running bulk operation is looked at again
BUSY = 60.0  # seconds to wait where the shop runs as many as it does
YOUNG = timedelta(minutes=1)  # one that we lately began may be gone on with, since its page may not have been kept
TRIES = 3  # bulk operations that may fail before products are read by pages


class ShopifyProducts:
    """ProductSource."""

    def __init__(self, client: ShopifyClient, lookups: Lookups) -> None:
        self._client = client
        self._lookups = lookups
        self._size = PageSize(10, 50)

    def changed_since(self, cursor: Mapping[str, object]) -> Iterator[Page[Product]]:
        """A product's stamp moves with its stock too: most of what comes is unchanged to us, and is told so by its content."""
        for batch in reading.changes(
            self._client, operations.PRODUCTS, "products", self._size, cursor, sort="UPDATED_AT"
        ):
            yield self._page(batch.rows, batch.cursor)

    def fetch(self, external_ids: Sequence[str]) -> Page[Product]:
        rows = reading.by_id(self._client, operations.PRODUCTS_BY_ID, "Product", external_ids, self._size)
        return self._page(rows, {})

    def image(self, ref: str) -> tuple[bytes, str]:
        if not ref.startswith(("https://", "http://")):
            raise Missing(f"{ref!r} is not an image of this shop", ref=ref)
        reply = self._client.fetch(ref)
        kind = reply.headers.get("content-type", "").partition(";")[0].strip()
        if not kind.startswith("image/"):
            raise NotUnderstood(
                f"{ref} is {kind or 'nothing'}, not an image", answer=reply.body[:200].decode("latin-1")
            )
        return reply.body, kind

    # -- all of them -----------------------------------------------------------------------------------------------------

    def everything(self, cursor: Mapping[str, object]) -> Iterator[Page[Product]]:
        """The first page is empty: with it the bulk operation is known that the others come from. While it runs TryLater
        says when to look again. Where it fails again and again, products are read by pages."""
        place = dict(cursor)
        if not place:
            place = {"bulk": self._begun(), "tries": 1}
            yield Page(items=(), cursor=place, seen=())
        while "bulk" in place:
            operation = self._operation(str(place["bulk"]))
            if operation is not None and operation.status == "COMPLETED":
                yield from self._result(operation, place)
                return
            if operation is not None and operation.status in ("CREATED", "RUNNING", "CANCELING"):
                raise TryLater("the shop is still gathering its products", wait=LOOK_AGAIN)
            if operation is not None and operation.error_code == "ACCESS_DENIED":
                raise NotLetIn("the shop does not let this app gather its products", right="read_products")
            tries = int(str(place.get("tries", 1)))
            place = {"paged": True} if tries >= TRIES else {"bulk": self._start(), "tries": tries + 1}
            yield Page(items=(), cursor=place, seen=())
        yield from self._paged(place)

    def _paged(self, place: Mapping[str, object]) -> Iterator[Page[Product]]:
        self._size.go_on(place)
        after = str(place.get("after") or "") or None
        for rows, reached, _ in self._client.pages(
            operations.PRODUCTS, ("products",), self._size, after, query=None, sort="ID"
        ):
            yield self._page(rows, {"paged": True, "after": reached, "size": self._size.now})

    def _begun(self) -> str:
        """The operation that was lately begun for this, or a new one."""
        answer = self._client.ask(operations.BULK_LATEST)
        for row in (answer.get("bulkOperations") or {}).get("nodes") or ():
            one = wire.typed(wire.BulkOperation, row)
            is_ours = one.query.strip() == operations.BULK_PRODUCTS.strip()
            is_alive = one.status in ("CREATED", "RUNNING", "COMPLETED")
            if is_ours and is_alive and one.created_at is not None and clock.now() - one.created_at < YOUNG:
                return one.id
        return self._start()

    def _start(self) -> str:
        payload = self._client.start(operations.BULK_START, query=operations.BULK_PRODUCTS)
        for error in payload["userErrors"]:
            if error.get("code") in ("OPERATION_IN_PROGRESS", "LIMIT_REACHED"):
                raise TryLater(str(error.get("message")), wait=BUSY)
            raise NotUnderstood(str(error.get("message")), answer=str(error))
        return wire.typed(wire.BulkOperation, payload["bulkOperation"]).id

    def _operation(self, identity: str) -> wire.BulkOperation | None:
        row = self._client.ask(operations.BULK, id=identity).get("bulkOperation")
        return None if row is None else wire.typed(wire.BulkOperation, row)

    def _result(self, operation: wire.BulkOperation, place: Mapping[str, object]) -> Iterator[Page[Product]]:
        """Whole products from the place on, which counts bytes up to the first line that is not done."""
        at = int(str(place.get("at", 0)))
        if operation.url is None:  # nothing was found: such a result has no file
            yield Page(items=(), cursor={**place, "at": 0}, seen=())
            return
        rows: list[dict[str, Any]] = []
        for row, end in _families(_lines(self._client, operation.url, at)):
            rows.append(row)
            at = end
            if len(rows) == PAGE:
                yield self._page(rows, {**place, "at": at})
                rows = []
        if rows:
            yield self._page(rows, {**place, "at": at})

    # -- one page ----------------------------------------------------------------------------------------------------------

    def _page(self, rows: Sequence[dict[str, Any]], cursor: dict[str, Any]) -> Page[Product]:
        odd: list[Odd] = []
        items: list[Product] = []
        raw: dict[str, str] = {}
        self._complete(rows)
        for row in rows:
            external_id = reading.identity(row)
            raw[external_id] = wire.text_of(row)
            try:
                item, untidy = mapping.product(wire.typed(wire.Product, row), self._lookups.shop)
            except NotUnderstood as error:
                odd.append(reading.malformed("product", row, error))
                continue
            items.append(item)
            odd.extend(untidy)
        return Page(
            items=items,
            cursor=cursor,
            seen=tuple(dict.fromkeys(reading.identity(row) for row in rows)),
            odd=tuple(odd),
            raw=raw,
        )

    def _complete(self, rows: Sequence[dict[str, Any]]) -> None:
        """Variants beyond the first fifty, and the parts of bundles. A product without one of its variants would look as
        if the shop had deleted it."""
        bundles: dict[str, dict[str, Any]] = {}
        for row in rows:
            self._client.complete(operations.MORE_VARIANTS, ("product", "variants"), row)
            variants = row.get("variants")
            if not isinstance(variants, dict):
                continue
            for one in variants.get("nodes") or ():
                if isinstance(one, dict) and one.get("requiresComponents") and "productVariantComponents" not in one:
                    bundles[str(one.get("id"))] = one
        wanted = sorted(bundles)
        for start in range(0, len(wanted), 10):
            answer = self._client.ask(operations.PARTS, ids=wanted[start : start + 10])
            for found in answer.get("nodes") or ():
                if isinstance(found, dict) and str(found.get("id")) in bundles:
                    bundles[str(found["id"])]["productVariantComponents"] = found.get("productVariantComponents")


def _lines(client: ShopifyClient, url: str, at: int) -> Iterator[tuple[bytes, int]]:
    """Lines of a file from a place on, each with the place after it, read piece by piece."""
    kept = b""
    while True:
        start = at + len(kept)
        asked = {"range": f"bytes={start}-{start + PIECE - 1}"}
        reply = client.fetch(url, headers=asked, ok=(200, 206, 416))
        if reply.status == 416:  # there is nothing from there on
            piece, is_last = b"", True
        elif reply.status == 200:  # the whole file, whatever was asked
            piece, is_last = reply.body[start:], True
        else:
            piece = reply.body
            size = reply.headers.get("content-range", "").rpartition("/")[2]
            is_last = not piece or (size.isdigit() and start + len(piece) >= int(size))
        kept += piece
        *whole, kept = kept.split(b"\n")
        for line in whole:
            at += len(line) + 1
            yield line, at
        if is_last:
            if kept:
                yield kept, at + len(kept)
            return


def _families(lines: Iterable[tuple[bytes, int]]) -> Iterator[tuple[dict[str, Any], int]]:
    """Products put together from their lines, each with the place after its last: children stand right behind, each naming
    its parent."""
    root: dict[str, Any] | None = None
    members: dict[str, dict[str, Any]] = {}
    end = 0
    for line, after in lines:
        if not line.strip():
            continue
        try:
            row = msgspec.json.decode(line)
        except msgspec.DecodeError as error:
            raise NotUnderstood(
                f"a line of a bulk result is not JSON: {error}", answer=line[:2_000].decode("utf-8", "replace")
            ) from error
        parent = row.pop("__parentId", None)
        if parent is None:
            if root is not None:
                yield root, end
            root, members = row, {}
            row.update({"variants": {"nodes": []}, "media": {"nodes": []}})
        elif (owner := members.get(parent)) is None:
            raise NotUnderstood("a line of a bulk result without its parent", answer=str(row)[:2_000])
        else:
            _place(row, owner)
        members[str(row.get("id"))] = row
        end = after
    if root is not None:
        yield root, end


def _place(row: dict[str, Any], owner: dict[str, Any]) -> None:
    """Put a child where the same answer by pages would have it."""
    kind = str(row.get("id", "")).split("/")[-2:-1]
    if kind == ["ProductVariant"]:
        row.update({"media": {"nodes": []}, "productVariantComponents": {"nodes": []}})
        owner["variants"]["nodes"].append(row)
    elif kind == ["ProductVariantComponent"]:
        owner["productVariantComponents"]["nodes"].append(row)
    else:
        owner["media"]["nodes"].append(row)
