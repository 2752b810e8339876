"""The beginning of connecting a channel: its kind, and credentials that are tried before anything is kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods
from django_htmx.http import HttpResponseClientRedirect

from comptoir.accounts.rights import PersonRequest, Right, needs
from comptoir.channels import channel as channels_
from comptoir.channels import registry
from comptoir.channels.connector import Connector, Field
from comptoir.channels.errors import ChannelError
from comptoir.channels.models import Channel
from comptoir.channels.records import Surroundings
from comptoir.flows import connecting
from comptoir.kit import clock
from comptoir.kit.actor import Actor
from comptoir.kit.errors import BadInput, ConfigError
from comptoir.web import answers, connect_refusals, connect_steps
from comptoir.web.connect_steps import STEPS, TITLES

# -- kind ----------------------------------------------------------------------------------------------------------------


@require_GET
@needs(Right.CHANGE_CHANNELS)
def kinds(request: PersonRequest) -> HttpResponse:
    """What can be connected, and what somebody began to connect."""
    cards = [_card(registry.find(kind)) for kind in registry.kinds()]
    begun = Channel.objects.filter(archived_at__isnull=True).exclude(connecting="").order_by("name")
    context = {"cards": cards, "begun": [(row, TITLES[row.connecting]) for row in begun if row.connecting in STEPS]}
    return connect_steps.show(request, "kind", context)


READS = {"products": _("Products"), "sales": _("Orders"), "stock": _("Stock levels")}
WRITES = {"levels": _("Stock levels"), "tracking": _("Shipping confirmations"), "cancelling": _("Cancellations")}


def _card(card: Connector) -> dict[str, Any]:
    return {
        "kind": card.kind,
        "title": card.title,
        "reads": ", ".join(str(words) for name, words in READS.items() if name in card.abilities),
        "writes": ", ".join(str(words) for name, words in WRITES.items() if name in card.abilities),
    }


# -- credentials ---------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class _Answer:
    """What a try came to: at which field it failed, or what was found."""

    config: dict[str, Any]
    wrong: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    asks_anyway: bool = False  # it answers, but the key lacks rights
    seen: Surroundings | None = None


def _typed(card: Connector, given: Mapping[str, str]) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for field in card.fields:
        text = given.get(field.name, "").strip()
        if field.kind == "switch":
            text = "yes" if text == "yes" else "no"
        elif field.kind == "url" and text and "://" not in text:
            text = f"https://{text}"
        config[field.name] = text
    return config


def _try(card: Connector, config: dict[str, Any], row: Channel | None, anyway: bool) -> _Answer:
    """Ask the shop with what was typed in. Calls out; nothing is stored."""
    found = _Answer(config)
    missing = [
        field.name
        for field in card.fields
        if field.required and not config.get(field.name) and not (row is not None and field.secret)
    ]
    if missing:
        found.wrong = {name: [gettext("Please fill this in.")] for name in missing}
        return found
    try:
        at = clock.now()
        tried = (
            channels_.draft(kind=card.kind, name="", code="", config=config, at=at)
            if row is None
            else channels_.corrected(row, config)
        )
        seen = connecting.ask_around(tried)
    except ConfigError:
        words = gettext("The key that was kept cannot be read any more: type it again.")
        found.wrong = {connect_refusals.secret_field(card): [words]}
        return found
    except (ChannelError, BadInput) as error:
        field, words = connect_refusals.explain(error, card)
        found.wrong = {field: [words]}
        return found
    lacking = connect_refusals.lacking(seen.missing_rights)
    if lacking and not anyway:
        found.wrong, found.asks_anyway = {connect_refusals.secret_field(card): lacking}, True
    else:
        found.seen = seen
    return found


def _fields(
    card: Connector, config: Mapping[str, Any] | None, answer: _Answer | None, kept: bool
) -> list[dict[str, Any]]:
    """The connector's form. What is secret is never given back."""
    return [
        {
            "name": field.name,
            "label": gettext(field.label),
            "help": _help(field, kept),
            "field": field,
            "value": _value(field, config),
            "wrong": answer.wrong.get(field.name, []) if answer else [],
        }
        for field in card.fields
    ]


def _value(field: Field, config: Mapping[str, Any] | None) -> str:
    if field.secret:
        return ""
    return str(config.get(field.name) or "") if config is not None else field.default


def _help(field: Field, kept: bool) -> str:
    said = gettext(field.help) if field.help else ""
    if field.secret and kept:
        return f"{said} {gettext('Empty: the one that is kept.')}".strip()
    return said


def _refused(request: PersonRequest, card: Connector, answer: _Answer, it: Channel | None) -> HttpResponse:
    """Say it at the field. A page that asks by htmx keeps what was typed, the key too, which we never send back."""
    given = {"fields": _fields(card, answer.config, answer, it is not None), "asks_anyway": answer.asks_anyway}
    if request.headers.get("HX-Request"):
        return render(request, "connect/told.html", {**given, "is_swap": True})
    context = {"card": card, "name": request.POST.get("name", ""), **given}
    return connect_steps.show(request, "credentials", context, it, status=422)


def _go(request: PersonRequest, step: str, code: str) -> HttpResponse:
    if request.headers.get("HX-Request"):
        return HttpResponseClientRedirect(reverse(step, args=[code]))
    return redirect(step, code)


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.CHANGE_CHANNELS)
def begin(request: PersonRequest, kind: str) -> HttpResponse:
    """Credentials of a new channel: tried first, kept when they work."""
    if kind not in registry.kinds():
        return redirect("connect")
    card = registry.find(kind)
    if request.method != "POST":
        return connect_steps.show(
            request, "credentials", {"card": card, "fields": _fields(card, None, None, kept=False)}
        )
    answer = _try(card, _typed(card, request.POST), None, request.POST.get("anyway") == "yes")
    if answer.seen is None:
        return _refused(request, card, answer, None)
    config = {name: text for name, text in answer.config.items() if text}
    at, who = clock.now(), answers.actor(request.user)
    name = request.POST.get("name", "").strip()[:80]
    tried = channels_.draft(kind=kind, name=name, code="", config=config, at=at)
    with transaction.atomic():
        row = connecting.keep(tried, answer.seen, step=STEPS[0], actor=who, at=at)
        if (
            row is not tried and row.connecting in STEPS
        ):  # somebody left in the middle: the newer key is the one to keep
            _correct(row, config, answer.seen, actor=who, at=at)
    if row.connecting not in STEPS:
        answers.say(request, gettext("This shop is connected already: nothing was changed."))
        return _go(request, "channel", row.code)
    return _go(request, f"connect_{row.connecting}", row.code)


def _correct(row: Channel, config: dict[str, Any], seen: Surroundings, *, actor: Actor, at: datetime) -> None:
    try:
        before = channels_.config_of(row)
    except ConfigError:  # kept with a key that is gone, as after a restore: whatever is typed differs from it
        before = None
    if before is None or any(before.get(name, "") != text for name, text in config.items()):
        connecting.correct(row, config, seen, actor=actor, at=at)


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.CHANGE_CHANNELS)
def credentials(request: PersonRequest, code: str) -> HttpResponse:
    """Other credentials of a channel that is kept: of the same shop, and tried first."""
    it = get_object_or_404(Channel, code=code)
    if it.kind not in registry.kinds():
        return redirect("channel", code)
    card = registry.find(it.kind)
    if request.method != "POST":
        return connect_steps.show(
            request, "credentials", {"card": card, "fields": _fields(card, it.config, None, kept=True)}, it
        )
    typed = _typed(card, request.POST)
    secret = {field.name for field in card.fields if field.secret}
    config = {name: text for name, text in typed.items() if text or name not in secret}
    answer = _try(card, config, it, request.POST.get("anyway") == "yes")
    if answer.seen is None:
        return _refused(request, card, answer, it)
    try:
        with transaction.atomic():
            _correct(it, config, answer.seen, actor=answers.actor(request.user), at=clock.now())
    except BadInput as error:
        field, words = connect_refusals.explain(error, card)
        return _refused(request, card, _Answer(config, {field: [words]}), it)
    answers.say(request, gettext("The shop answers. These credentials are used from now on."))
    return _go(request, "connect_go_on" if it.connecting in STEPS else "channel_settings", code)
