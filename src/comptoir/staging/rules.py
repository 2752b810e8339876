"""The import rule: what becomes of a sale by its status at the channel, unless a mapping of the merchant says otherwise."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from comptoir.channels.records import Sale, SaleState


class Rule(StrEnum):
    """What a status of the channel makes of a sale that is not an order of ours yet."""

    NONE = "none"  #: it does not come in
    VALID = "valid"  #: an order to prepare
    INVOICE = "invoice"  #: an order to prepare, and an invoice is wanted
    CANCEL = "cancel"  #: an order that is cancelled already
    HOLD = "hold"  #: an order that waits for a person, reserved
    COMPLETE = "complete"  #: it has left: one movement a line; refused where anything lacks
    HISTORY = "history"  #: it left before we counted: no movement
    RETRY = "retry"  #: not yet: looked at again by itself


#: By what the channel's own flags say. None: nobody can know, a person maps the status.
BY_MEANING: dict[SaleState, Rule | None] = {
    SaleState.UNPAID: Rule.RETRY,
    SaleState.PAID: Rule.VALID,
    SaleState.SHIPPED: Rule.COMPLETE,
    SaleState.CANCELLED: Rule.NONE,
    SaleState.REFUNDED: Rule.NONE,
    SaleState.UNKNOWN: None,
}


def rule_for(
    sale: Sale, mapped: str | None, *, counting_since: datetime | None, was_counted: bool = False
) -> Rule | None:
    """The rule for a sale. What left before stock was counted at its selling point comes in as history: the shop's
    figure, from which the count began, lacks it already. `was_counted`: it was open then, so its units were counted as
    being here, and must be booked out."""
    rule = Rule(mapped) if mapped else BY_MEANING[sale.state]
    if was_counted or mapped or rule is not Rule.COMPLETE:
        return rule
    if counting_since is None or sale.placed_at < counting_since:
        return Rule.HISTORY
    return rule
