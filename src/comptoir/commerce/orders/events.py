"""What orders tell, past tense. One event per page of a set-based action; facts are plain values."""

#: facts: orders [ids], intakes {intake: count}, finished [ids of
#: orders that came in complete and moved stock], history [ids of orders that came in finished, without movement]
PLACED = "orders.orders.placed"

#: facts: order, number, channel, external_id, before, after, reason
MOVED = "orders.order.moved"

#: facts: order, number, channel, external_id, is_ours (False: the channel cancelled first), reason
CANCELLED = "orders.order.cancelled"

#: facts: order, number, channel, external_id, line, external_line, quantity, is_ours (False: the channel gave the units
#: back first), reason
LINE_CANCELLED = "orders.line.cancelled"

#: facts: order, number, channel, external_id, lines {line: quantity}, completes
SERVED = "orders.order.served"

#: facts: order, number, channel, external_id
TOOK_THEIRS = "orders.order.took_theirs"

#: facts: order, number, channel, external_id, deed (of external.Deed: unblocked, agreed, kept_ours, put_back)
DECIDED = "orders.order.decided"

#: facts: channel, choice (of takeover.Choice: here, left), orders (how many)
TAKEN_OVER = "orders.channel.taken_over"
