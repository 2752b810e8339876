"""The frame around every page: search that jumps, the bar and the bell, language and theme."""

from __future__ import annotations

from django.conf import settings
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from comptoir.accounts.models import Theme, User
from comptoir.accounts.rights import PersonRequest, Right, allows, needs
from comptoir.commerce.catalog import queries as catalog
from comptoir.commerce.catalog.models import Variant
from comptoir.commerce.orders.models import Order
from comptoir.web import answers, lists, orders


@require_GET
@needs(Right.ENTER)
def search(request: PersonRequest) -> HttpResponse:
    """Jump to the order or variant that is called exactly so; otherwise show what may be meant."""
    text = lists.typed(request.GET.get("q", ""))
    exact_orders = list(Order.objects.filter(Q(number=text) | Q(external_number=text))[:2]) if text else []
    named = {*catalog.by_sku([text]).values(), *catalog.by_barcode([text]).values()} if text else ()
    exact_variants = list(Variant.objects.select_related("product").filter(pk__in=named))
    if len(exact_orders) + len(exact_variants) == 1:
        if exact_orders:
            return redirect("order", exact_orders[0].number)
        return redirect("variant", exact_variants[0].pk)
    is_long_enough = len(text) >= lists.SEARCH_FROM
    found_orders, found_variants = exact_orders, exact_variants
    if is_long_enough and not exact_orders + exact_variants:
        may_see_buyers = allows(request.user, Right.SEE_BUYERS)  # the search looks at who bought
        ids = orders.search(text).ids[:20] if may_see_buyers else ()
        found_orders = list(Order.objects.filter(pk__in=ids).order_by("-placed_at", "-id"))
        best = catalog.search(text).ids[:20]
        by_id = Variant.objects.select_related("product").in_bulk(best)
        found_variants = [by_id[pk] for pk in best if pk in by_id]
    context = {
        "search_text": text,
        "orders": found_orders,
        "variants": found_variants,
        "is_long_enough": is_long_enough,
    }
    return render(request, "frame/search.html", context)


@require_GET
@needs(Right.ENTER)
def bar(request: PersonRequest) -> HttpResponse:
    """The progress of one's own runs, with the bell beside it."""
    return render(request, "frame/pulse.html", {"is_swapped": True})


@require_POST
@needs(Right.ENTER, before_second_factor=True)
def language(request: PersonRequest) -> HttpResponse:
    """Speak another language from now on, on every machine."""
    chosen = request.POST.get("language", "")
    answer = answers.back(request, "home")
    if chosen in dict(settings.LANGUAGES):
        User.objects.filter(pk=request.user.pk).update(language=chosen)
        answer.set_cookie(settings.LANGUAGE_COOKIE_NAME, chosen, samesite="Lax", max_age=365 * 86400)
    return answer


@require_POST
@needs(Right.ENTER, before_second_factor=True)
def theme(request: PersonRequest) -> HttpResponse:
    """Light, dark, or as the system says."""
    if request.POST.get("theme") in Theme.values:
        User.objects.filter(pk=request.user.pk).update(theme=request.POST["theme"])
    return answers.back(request, "home")
