"""What the actions of the catalogue take and give: frozen, with ids of ours. `key` is the caller's, to match answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class PartWanted:
    """So much of a variant in a kit: named by our id, or by the key of a variant of the same page."""

    quantity: Decimal
    variant: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class ImageWanted:
    """A picture to fetch: what its channel calls it, and its place on the page."""

    ref: str
    position: int = 0


@dataclass(frozen=True, slots=True)
class VariantWanted:
    """A listing as a channel has it. `variant` is ours where it is linked already. `sku` is never empty: a listing without
    one comes with a code that the caller made (`is_sku_generated`)."""

    key: str
    sku: str
    variant: int | None = None
    is_sku_generated: bool = False
    barcodes: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    prices: Mapping[int, Decimal] = field(default_factory=dict)  # price list -> amount
    cost: Decimal | None = None
    weight: Decimal | None = None  # kilograms
    enabled: bool = True
    is_stocked: bool = True
    unit: str = "piece"
    mpn: str = ""
    images: tuple[ImageWanted, ...] = ()
    parts: tuple[PartWanted, ...] = ()  # of a pack: makes it a kit


@dataclass(frozen=True, slots=True)
class ProductWanted:
    """A product page as a channel has it, with its variants."""

    key: str
    name: str
    variants: tuple[VariantWanted, ...]
    product: int | None = None
    description: str = ""
    brand: str = ""
    categories: tuple[tuple[str, ...], ...] = ()  # paths of names from the root
    page_url: str = ""
    names: Mapping[str, str] = field(default_factory=dict)  # other languages
    custom: Mapping[str, Any] = field(default_factory=dict)
    images: tuple[ImageWanted, ...] = ()


class Outcome(StrEnum):
    """What became of one product or variant of a page."""

    CREATED = "created"  #: new here
    CHANGED = "changed"  #: something of it was written
    UNCHANGED = "unchanged"  #: nothing was
    REFUSED = "refused"  #: left out; a problem says why


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one product or variant: our id (None where refused)."""

    id: int | None
    outcome: Outcome
    was_matched: bool = False  # found by its SKU, not by the id given


#: What a page of products may complain of.
PROBLEM_CODES = (
    "barcode_taken",  #: another variant has the barcode: left out
    "became_pack",  #: a variant with stock of its own is a pack there now: left as it is
    "duplicate_sku",  #: another listing of the page is this variant already
    "name_empty",  #: called by its key
    "negative_price",  #: left out
    "no_longer_pack",  #: a kit here is no pack there any more: left as it is
    "not_a_number",  #: left out
    "part_is_kit",  #: a pack within a pack: its parts are not taken over
    "part_unknown",  #: a part is not here: the pack has no parts until it is
    "price_list_unknown",  #: left out
    "product_unknown",  #: the id given is not here: looked for by SKU
    "product_without_variants",  #: nothing to make
    "sku_differs",  #: ours changes only after a person has seen it
    "sku_empty",  #: the listing is left out
    "unit_unknown",  #: taken for pieces
    "value_too_long",  #: cut, or left out where half of it would be wrong
    "variant_unknown",  #: the id given is not here: looked for by SKU
)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something untidy in a page, to become a finding. `key` is the caller's, of the variant or product; `code` is one of
    PROBLEM_CODES."""

    code: str
    key: str
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Upserted:
    """What became of a page."""

    products: dict[str, Answer]  # by key
    variants: dict[str, Answer]  # by key
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Retired:
    """What a complete listing without some variants led to. `is_refused`: too many are missing to be believed."""

    retired: tuple[int, ...]
    missing: int
    is_refused: bool


@dataclass(frozen=True, slots=True)
class VariantSummary:
    """A variant as lists and searches show it."""

    id: int
    product: int
    sku: str
    name: str
    options: Mapping[str, str]
    kind: str
    unit: str
    is_stocked: bool
    enabled: bool
    is_retired: bool


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found; `is_cut` when there is more than it looks at."""

    ids: tuple[int, ...]
    is_cut: bool
