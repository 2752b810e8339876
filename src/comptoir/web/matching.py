"""What the listings of a channel are here: counted and listed, matched by hand or by a file, and whether the rest is created."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from comptoir.accounts.models import User
from comptoir.accounts.rights import PersonRequest, Right, allows, needs
from comptoir.channels.models import Channel
from comptoir.commerce.catalog import queries as catalog
from comptoir.commerce.catalog.models import Variant
from comptoir.commerce.catalog.records import Found
from comptoir.engine import flow, runs
from comptoir.engine.models import Flow, RunStatus, Trigger
from comptoir.flows import doctor, matching
from comptoir.kit import clock
from comptoir.kit.errors import BadInput
from comptoir.kit.settings import settings
from comptoir.offers.models import Doubt, Listed, Match
from comptoir.staging.actions import Staged
from comptoir.web import answers, cells, doctor_words, lists
from comptoir.web import runs as runs_page
from comptoir.web import staging as staging_page
from comptoir.web.inventory import known, variants_by_code

MATCHES = {
    Match.LINK: (_("Linked"), "done"),
    Match.HAND: (_("Matched by a person"), "done"),
    Match.SKU: (_("Matches by SKU"), "good"),
    Match.BARCODE: (_("Matches by barcode"), "good"),
    Match.DOUBT: (_("Not clear"), "troubled"),
    Match.NONE: (_("Only there"), "retry"),
    Match.APART: (_("Nothing of yours"), "closed"),
}
CANDIDATES = 10


def overview(it: Channel) -> dict[str, Any]:
    """What the reading of a channel's products found, in figures as far as they are counted."""
    most = lists.COUNT_TO + 1
    counts = matching.counts(it.pk, most=most)
    last = runs.latest(it.pk, matching.KIND).first()
    doubts = doctor.counts(it.pk, most=most)
    return {
        "channel": it,
        "run": last,
        "run_state": runs_page.state(last) if last else "",
        "is_open": last is not None and last.status in (RunStatus.QUEUED, RunStatus.RUNNING),
        "listings": sum(counts.values()),
        "matches": [(value, MATCHES[Match(value)][0], n) for value, n in counts.items() if n],
        "rest": counts[Match.NONE],
        "only_here": doubts.get("only_here", 0),
        "doubts": [(code, doctor_words.kind(code), n) for code, n in doubts.items()],
        "doubts_in_all": sum(doubts.values()),
        "proposed": Listed.objects.filter(channel=it, proposed__isnull=False).order_by()[:most].count(),
    }


def prices(it: Channel) -> list[tuple[str, bool | None]]:
    """In which currencies the prices come, and whether tax is in them, as the first thousand listings say."""
    first = Listed.objects.filter(channel=it).order_by("id").values_list("price", "currency", "tax_included")[:1000]
    return sorted({(currency, included) for price, currency, included in first if price is not None})


def start_reading(it: Channel, user: User) -> int:
    """Ask for a reading of all products: the run."""
    flow.ensure_flows(it.pk, [matching.KIND])
    row = Flow.objects.get(channel=it, kind=matching.KIND)
    return runs.request(row.pk, Trigger.PERSON, answers.actor(user), at=clock.now())


def _find(code: str) -> Channel:
    return get_object_or_404(Channel, code=code, archived_at__isnull=True)


# -- the list ------------------------------------------------------------------------------------------------------------


def _match(row: Listed) -> str:
    words, tone = MATCHES[Match(row.match)]
    return cells.badge(tone, words)


def _here(row: Listed) -> Any:
    if row.variant is None:
        return cells.NOTHING
    return cells.link(reverse("variant", args=[row.variant.pk]), row.variant.sku)


LISTED = lists.Listing(
    columns=(
        lists.Column(
            _("Listing there"),
            lambda r: cells.two(
                cells.link(reverse("matching_listing", args=[r.channel.code, r.pk]), r.sku or _("no SKU")),
                cells.name(", ".join(filter(None, (r.name, r.options)))),
            ),
            "a",
        ),
        lists.Column(_("Id there"), lambda r: cells.name(r.external_id)),
        lists.Column(_("Barcodes"), lambda r: cells.name(", ".join(r.barcodes))),
        lists.Column(_("Price"), lambda r: cells.money(r.price, r.currency), is_number=True),
        lists.Column(_("Match"), _match, "c"),
        lists.Column(_("Here"), _here, "b"),
        lists.Column(_("Product here"), lambda r: cells.name(r.variant.product.name) if r.variant else cells.NOTHING),
    ),
    sorts=(lists.Sort("first", _("Oldest first"), ("channel_id", "id")),),
    filters=(
        lists.Filter(
            "match",
            _("Every match"),
            lambda: [(match.value, words) for match, (words, _tone) in MATCHES.items()],
            lambda rows, _v: rows,  # by `_rows`, with the channel
        ),
    ),
    search_hint=_("SKU, barcode, id or name there"),
    empty=lists.Empty(
        _("The products of this channel were not read for matching yet"),
        _("Read them: nothing is put into the catalogue, and you see what each would be here."),
    ),
)


OF_ONE_MATCH = replace(LISTED, sorts=(lists.Sort("first", _("Oldest first"), ("channel_id", "match", "id")),))


def _rows(it: Channel, match: str) -> tuple[lists.Listing, QuerySet[Listed]]:
    """All listings of a channel, or those of one match; each has an index for its order."""
    rows = Listed.objects.select_related("channel", "variant__product")
    if match in Match.values:
        return OF_ONE_MATCH, lists.alike(rows, channel_id=it.pk, match=match)
    return LISTED, lists.alike(rows, channel_id=it.pk)


def _search(it: Channel, text: str) -> Found:
    return lists.bounded(Listed.objects.filter(channel=it, search__contains=text.lower()))


@require_GET
@needs(Right.SEE_CHANNELS)
def listings(request: PersonRequest, code: str) -> HttpResponse:
    """All listings of a channel, and what each is or would be."""
    it = _find(code)
    listing, rows = _rows(it, request.GET.get("match", ""))
    context = {
        **overview(it),
        "list": replace(listing, search=partial(_search, it)).show(request, rows),
        "may_change": allows(request.user, Right.CHANGE_CHANNELS),
    }
    return render(request, "matching/list.html", context)


@require_POST
@needs(Right.RUN_FLOWS)
def read(request: PersonRequest, code: str) -> HttpResponse:
    """Read the products of the channel again."""
    it = _find(code)
    with answers.attempt(request):
        start_reading(it, request.user)
    return answers.back(request, "matching", code)


@require_POST
@needs(Right.CHANGE_CHANNELS)
def choose(request: PersonRequest, code: str) -> HttpResponse:
    """Whether what matches nothing is created; where that changes, all products are read by the new rule."""
    it = _find(code)
    with answers.attempt(request):
        creates, at = request.POST.get("creates") == "yes", clock.now()
        if matching.choose(it, creates=creates, actor=answers.actor(request.user), at=at):
            answers.say(request, gettext("Saved. Its products are read again by this rule."))
            for row in Flow.objects.filter(channel=it, kind="update_products"):
                runs.request(row.pk, Trigger.PERSON, answers.actor(request.user), at=at)
    return redirect("matching", code)


# -- one listing ---------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.CHANGE_CHANNELS)
def listing(request: PersonRequest, code: str, pk: int) -> HttpResponse:
    """One listing: what it is there, what it would be here and why, and a person's word on it."""
    it = _find(code)
    row = get_object_or_404(Listed.objects.select_related("variant__product"), channel=it, pk=pk)
    if request.method == "POST":
        with answers.attempt(request):
            decide(request, it, row)
        return answers.back(request, "matching_listing", code, pk)
    text = lists.typed(request.GET.get("q", ""))
    context = {
        "channel": it,
        "row": row,
        "match": _match(row),
        "q": text,
        "candidates": _candidates(text),
        "doubts": [doctor_words.worded(one) for one in Doubt.objects.filter(channel=it, listing=row.external_id)],
    }
    return render(request, "matching/listing.html", context)


def _candidates(text: str) -> Sequence[Variant]:
    if len(text) < catalog.SHORTEST_SEARCH:
        return ()
    ids = catalog.search(text).ids[:CANDIDATES]
    found = Variant.objects.select_related("product").in_bulk(ids)
    return [found[one] for one in ids if one in found]


def decide(request: PersonRequest, it: Channel, row: Listed) -> None:
    """What a person says of a listing, in the surrounding transaction."""
    given, at, who = request.POST, clock.now(), answers.actor(request.user)
    match given.get("what"):
        case "link":
            said = matching.link(it, {row.external_id: our_variant(given.get("sku", ""))}, actor=who, at=at)
            tell(request, it, said, at)
        case "apart":
            matching.set_apart(it, row.external_id, actor=who, at=at)
            answers.say(request, gettext("It is left alone from now on."))
        case "rules":
            matching.leave_to_rules(it, row.external_id, actor=who, at=at)
            answers.say(request, gettext("Link, SKU and barcode decide again."))
        case "sku":
            matching.call_it(it, row.external_id, given.get("sku", ""), actor=who, at=at)
            answers.say(request, gettext("It has this SKU here."))
        case "pack":
            number, sku = given.get("number", "").strip(), given.get("sku", "").strip()
            said = matching.make_pack(it, row.external_id, number, sku, actor=who, at=at)
            staging_page.tell(it.pk, said, at)
            answers.say(request, gettext("A kit was made, and the listing is linked to it."))
        case "alias":
            matching.make_alias(it, row.external_id, our_variant(given.get("sku", "")), actor=who, at=at)
            answers.say(request, gettext("They share one stock from now on."))
        case what:
            raise BadInput(gettext("nothing can be repaired so"), place="what", value=what or "")


def tell(request: PersonRequest, it: Channel, said: Staged, at: datetime) -> None:
    """A listing is linked: sales that waited for it go on."""
    staging_page.tell(it.pk, said, at)
    answers.say(request, gettext("Matched. Products and sales follow it from now on."))


def our_variant(text: str) -> int:
    """The variant that a person means by a SKU or a barcode."""
    sku = text.replace("\0", "").strip()
    return known(variants_by_code([sku]), sku[:80], "SKU")  # no SKU is longer


# -- by a file -----------------------------------------------------------------------------------------------------------

PROPOSED = replace(
    LISTED,
    columns=(
        *LISTED.columns[:2],
        lists.Column(_("Now"), lambda r: _here(r), "c"),
        lists.Column(_("Then"), lambda r: cells.link(reverse("variant", args=[r.proposed.pk]), r.proposed.sku), "b"),
        lists.Column(_("Product here"), lambda r: cells.name(r.proposed.product.name), "d"),
    ),
    filters=(),
    empty=lists.Empty(_("No file waits here"), _("Choose one: what it would change is shown before anything is kept.")),
)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.CHANGE_CHANNELS)
def file(request: PersonRequest, code: str) -> HttpResponse:
    """Match by a file: what is wrong with it, or what it would change."""
    it = _find(code)
    if request.method == "POST":
        return _read_file(request, it)
    rows = lists.alike(Listed.objects.filter(proposed__isnull=False), channel_id=it.pk)
    rows = rows.select_related("channel", "variant", "proposed__product")
    shown = replace(PROPOSED, search=partial(_search, it)).show(request, rows)
    proposed = rows.order_by()[: lists.COUNT_TO + 1].count()
    return render(request, "matching/file.html", {"channel": it, "list": shown, "proposed": proposed})


def _read_file(request: PersonRequest, it: Channel) -> HttpResponse:
    found = None
    with answers.attempt(request):
        upload = request.FILES.get("file")
        if upload is None:
            raise BadInput(gettext("choose a file"), place=gettext("file"), value="", cure=gettext("CSV or XLSX"))
        found = _parsed(it, upload)
        if not found.faults:
            if not found.pairs:
                raise BadInput(gettext("the file has no rows"), place=gettext("file"), value=str(upload.name)[:80])
            matching.propose(it, found.pairs)
    if found is None or not found.faults:
        return redirect("matching_file", it.code)
    return render(request, "matching/file.html", {"channel": it, "read": found}, status=422)


def _parsed(it: Channel, upload: UploadedFile[Any]) -> matching.Read:
    """What an uploaded file says; it lies on the disk only while it is read."""
    most = settings().max_upload_mb
    if (upload.size or 0) > most * 1024 * 1024:
        raise BadInput(
            gettext("the file is too large"),
            place=gettext("file"),
            value=str(upload.name)[:80],
            cure=gettext("at most %(n)d MB") % {"n": most},
        )
    chunks = upload.chunks()
    first = next(iter(chunks), b"")
    with tempfile.NamedTemporaryFile(suffix=".xlsx" if first.startswith(b"PK") else ".csv") as copy:
        copy.write(first)
        for chunk in chunks:
            copy.write(chunk)
        copy.flush()
        return matching.read_file(it, Path(copy.name), str(upload.name or gettext("file"))[:80])


@require_POST
@needs(Right.CHANGE_CHANNELS)
def file_keep(request: PersonRequest, code: str) -> HttpResponse:
    """Link what the file says, or forget it."""
    it = _find(code)
    at = clock.now()
    with answers.attempt(request):
        if request.POST.get("how") == "keep":
            number, said = matching.keep_proposed(it, actor=answers.actor(request.user), at=at)
            staging_page.tell(it.pk, said, at)
            words = ngettext("%(n)d listing is matched.", "%(n)d listings are matched.", number)
            answers.say(request, words % {"n": number})
        else:
            matching.forget_proposed(it)
            answers.say(request, gettext("The file is forgotten: nothing changed."))
    return redirect("matching", code)
