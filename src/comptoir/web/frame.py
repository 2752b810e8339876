"""The frame around every page: search that jumps, the bar and the bell, language and theme."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from comptoir.accounts.models import Theme, User
from comptoir.accounts.rights import PersonRequest, Right, needs
from comptoir.web import answers, lists, palette


@require_GET
@needs(Right.ENTER)
def search(request: PersonRequest) -> HttpResponse:
    """Jump to the order or variant that is called exactly so; otherwise show what may be meant."""
    text = lists.typed(request.GET.get("q", ""))
    found_orders, found_variants = palette.called(request.user, text)
    if len(found_orders) + len(found_variants) == 1:
        if found_orders:
            return redirect("order", found_orders[0].number)
        return redirect("variant", found_variants[0].pk)
    if not found_orders and not found_variants:
        found_orders, found_variants = palette.meant(request.user, text)
    context = {
        "search_text": text,
        "orders": found_orders,
        "variants": found_variants,
        "others": palette.beside(request.user, text) if text else [],
        "is_long_enough": len(text) >= lists.SEARCH_FROM,
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
