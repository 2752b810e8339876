"""The webhooks tab of a channel: the address it calls, what has come, and whether the way from outside is open."""

from __future__ import annotations

import hmac
from typing import Any

from django.conf import settings as django_settings
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from comptoir.accounts.rights import PersonRequest, Right, allows, needs
from comptoir.channels import addresses, registry
from comptoir.channels import channel as channels_
from comptoir.channels.errors import ChannelError
from comptoir.channels.http import HttpDoor
from comptoir.channels.models import HUB, Channel
from comptoir.engine.models import Flow
from comptoir.flows import reach, subscribing
from comptoir.kit import clock, ids
from comptoir.kit.errors import BadInput, ConfigError
from comptoir.kit.settings import settings
from comptoir.web import answers
from comptoir.web import channels as channels_page
from comptoir.webhooks.models import Delivery

SHOWN = 50
PROOF = 64  # letters


@require_GET
@never_cache
@needs(Right.SEE_CHANNELS)
def channel_webhooks(request: PersonRequest, code: str) -> HttpResponse:
    """Where it calls, what came last, and how long the hub takes to learn of a sale."""
    it = get_object_or_404(Channel, code=code)
    if it.kind == HUB:
        return redirect("channel", code)
    card = registry.find(it.kind)
    context: dict[str, Any] = {
        "can": card.webhooks is not None,
        "address": reach.address(it),
        "path": f"/hooks/{it.webhook_token}",
        "deliveries": _latest(it),
        "window": reach.window(it, at=clock.now()),
        "asks": "subscriptions" in card.abilities,
        "asked": Flow.objects.filter(channel=it, kind=subscribing.KIND).values_list("cursor", flat=True).first(),
        "makes_secret": channels_.makes_secret(card),
    }
    if not allows(request.user, Right.CHANGE_CHANNELS):
        context |= {"address": "", "path": ""}  # whoever knows it can make the hub look again
    return channels_page.page(request, it, "channel_webhooks", context)


def _latest(it: Channel) -> list[Delivery]:
    """What came last: drained or not is one index each."""
    rows = Delivery.objects.filter(channel=it).defer("body").order_by("-id")
    found = [*rows.filter(drained_at__isnull=True)[:SHOWN], *rows.filter(drained_at__isnull=False)[:SHOWN]]
    return sorted(found, key=lambda row: row.pk, reverse=True)[:SHOWN]


@require_POST
@never_cache
@needs(Right.CHANGE_CHANNELS)
def show_secret(request: PersonRequest, code: str) -> HttpResponse:
    """What its deliveries are signed with, to be typed into the shop."""
    it = get_object_or_404(Channel, code=code)
    context: dict[str, Any] = {}
    with answers.attempt(request):
        try:
            context["secret"] = channels_.config_of(it).get("webhook_secret", "")
        except ConfigError as error:
            raise BadInput(gettext("the credentials of this channel cannot be read: type them again")) from error
    if not context.get("secret"):
        return redirect("channel_webhooks", code)
    return channels_page.page(request, it, "channel_webhooks", context, template="channels/secret.html")


def proof(nonce: str) -> str:
    """What only this hub can say to a nonce."""
    return hmac.new(django_settings.SECRET_KEY.encode(), f"reach:{nonce}".encode(), "sha256").hexdigest()


@require_GET
@never_cache
def reached(request: PersonRequest, nonce: str) -> HttpResponse:
    """Answered to anybody: it says that this is this hub, and nothing else."""
    return HttpResponse(proof(nonce[:PROOF]), content_type="text/plain")


@require_POST
@needs(Right.CHANGE_CHANNELS)
def test_address(request: PersonRequest, code: str) -> HttpResponse:
    """Call our own public address, as a shop would: the way out, the proxy, the certificate, and back in here."""
    it = get_object_or_404(Channel, code=code)
    with answers.attempt(request, gettext("The public address leads here: shops can reach this hub.")):
        public = settings().public_url.rstrip("/")
        if not public:
            raise BadInput(
                gettext("this hub has no public address"),
                cure=gettext("set COMPTOIR_PUBLIC_URL to what shops can reach"),
            )
        _round_trip(public)
    return redirect("channel_webhooks", it.code)


def _round_trip(public: str) -> None:
    nonce = ids.token()
    door = HttpDoor(
        may_write=lambda: False, allow_private=settings().allow_private_addresses, resolve=addresses.public_addresses
    )
    try:
        said = door.read("GET", f"{public}/reach/{nonce}").body
    except ChannelError as error:
        raise BadInput(
            gettext("nothing of ours answers at the public address"),
            place=public,
            value=str(error)[:200],
            cure=gettext("look at name, proxy, certificate and firewall"),
        ) from error
    finally:
        door.close()
    if not hmac.compare_digest(said, proof(nonce).encode()):
        raise BadInput(
            gettext("something else answers at the public address"),
            place=public,
            value=said[:40].decode("utf-8", "replace"),
        )
