"""TrackingTarget: parcels told, each asked about before it is told again."""

from __future__ import annotations

import msgspec
from comptoir.connectors.acme import wire
from comptoir.connectors.acme.client import AcmeClient

from comptoir.channels.errors import Missing, NotUnderstood, Refused, Unknown
from comptoir.channels.records import Answer, Fate, Parcel


class AcmeTracking:
    """TrackingTarget. `key` is an idempotency key there: a parcel of the same key is the same parcel."""

    def __init__(self, client: AcmeClient) -> None:
        self._client = client

    def confirm(self, parcel: Parcel) -> Answer:
        content = {
            "key": parcel.key,
            "carrier": parcel.carrier_name,
            "tracking": parcel.tracking,
            "last": parcel.completes,
        }
        try:
            self._client.send("POST", f"sales/{parcel.sale}/parcels", content, wire.SentParcel)
        except Unknown as error:
            return Answer(item=0, fate=Fate.UNKNOWN, reason=str(error))
        except Refused as error:
            return Answer(item=0, fate=Fate.REFUSED, reason=str(error))
        return Answer(item=0, fate=Fate.DONE)

    def is_confirmed(self, parcel: Parcel) -> bool:
        rows = self._client.these("sales", [parcel.sale]).rows
        if not rows:
            raise Missing("they do not have this sale", sale=parcel.sale)
        try:
            sale = msgspec.json.decode(rows[0][1], type=wire.Sale)
        except msgspec.DecodeError as error:
            raise NotUnderstood(f"the sale cannot be read: {error}", answer=bytes(rows[0][1]).decode()) from error
        is_there = any(one.key == parcel.key for one in sale.parcels)
        return is_there and (sale.state == "sent" or not parcel.completes)
