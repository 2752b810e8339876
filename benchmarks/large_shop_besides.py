"""What a large shop has besides goods and orders: listings read for matching, doubts, suppliers, told prices, what happened
and who did it, deliveries of webhooks. Statements for `large_shop.make`, which runs them after its own."""

#: Deliveries that each channel has sent, as long as they are kept.
DELIVERIES = 50_000
SUPPLIERS = 2_000

_FIRST, _LAST = "(%(channels)s::bigint[])[1]", "(%(channels)s::bigint[])[4]"

STATEMENTS: tuple[tuple[str, str], ...] = (
    (
        "listings read for matching",  # of the channel with the most, and of the one that is being connected; a file waits
        f"""
        INSERT INTO offers_listed (channel_id, external_id, page, name, options, sku, barcodes, price, currency, tax_included,
            unit, pushes_stock, address, search, fingerprint, read_at, match, variant_id, decided, own_sku, proposed_id)
        SELECT channel, v.id::text, v.product_id::text, p.name, 'Size: ' || (v.options ->> 'Size'),
               CASE WHEN part <> 8 THEN v.sku ELSE '' END, ARRAY[(4000000000000 + v.id)::text], 1 + mod(v.id, 90), 'EUR', true,
               'piece', true, '', lower(v.sku || ' ' || p.name || ' ' || v.id || ' ' || (4000000000000 + v.id)), '', %(at)s,
               (ARRAY['none', 'doubt', 'barcode', 'sku', 'apart', 'hand', 'none', 'none'])[part],
               CASE WHEN part IN (2, 3, 4, 6) THEN v.id END, CASE part WHEN 5 THEN 'apart' WHEN 6 THEN 'hand' ELSE '' END, '',
               CASE WHEN mod(v.id, 60) = 30 THEN v.id END
        FROM catalog_variant v JOIN catalog_product p ON p.id = v.product_id,
             LATERAL (SELECT mod(v.id / 10, 8) + 1 AS part) parts,
             (VALUES ({_FIRST}, 1), ({_LAST}, 10)) AS one (channel, step)
        WHERE mod(v.id, step) = 0 AND mod(v.id, 10) IN (0, 1)
        UNION ALL
        SELECT {_FIRST}, v.id::text, v.product_id::text, p.name, '', v.sku, '{{}}', NULL, 'EUR', true, 'piece', true, '',
               lower(v.sku || ' ' || p.name || ' ' || v.id), '', %(at)s, 'link', v.id, '', '', NULL
        FROM catalog_variant v JOIN catalog_product p ON p.id = v.product_id WHERE mod(v.id, 10) NOT IN (0, 1)
        """,
    ),
    (
        "doubts",
        """
        INSERT INTO offers_doubt (channel_id, code, subject, listing, variant_id, label, facts, basis, units, risk, found_at,
            ignored_at, ignored_by, ignored_note)
        SELECT l.channel_id, code, 'listing:' || l.external_id, l.external_id, l.variant_id, l.sku || ' · ' || l.name,
               jsonb_build_object('listing', l.external_id, 'sku', l.sku, 'creates', true, 'own_sku', '', 'others', 1, 'other', '7',
                   'ours', l.sku, 'why', 'unit', 'there', 'm', 'here', 'piece'),
               mod(l.id, 3), mod(l.id, 40), mod(l.id * 7919, 100000) / 10.0, %(at)s,
               CASE WHEN mod(l.id, 30) = 4 THEN %(at)s::timestamptz END, '', ''
        FROM offers_listed l, LATERAL (SELECT CASE WHEN l.sku = '' THEN 'no_sku' WHEN l.match = 'none' THEN 'only_there'
            WHEN l.match = 'doubt' THEN 'same_sku' WHEN l.match = 'link' AND mod(l.id, 20) = 3 THEN 'pack_suspected' END AS code) c
        WHERE code IS NOT NULL
        """,
    ),
    (
        "suppliers",
        f"""
        INSERT INTO purchasing_supplier (id, code, name, email, currency, lead_days, notes, enabled, owners, created_at,
            changed_at)
        SELECT n, 'S' || n, (%(family)s::text[])[1 + mod(n, cardinality(%(family)s::text[]))] || ' Trading ' || n,
               'orders@supplier' || n || '.example', 'EUR', 1 + mod(n, 60), '', mod(n, 11) <> 5, '{{}}', %(at)s, %(at)s
        FROM generate_series(1, {SUPPLIERS}) n
        """,
    ),
    (
        "suppliers as channels know them",
        f"""
        INSERT INTO purchasing_supplierlink (supplier_id, channel, external_id)
        SELECT id, channel, id::text FROM purchasing_supplier, unnest(ARRAY[{_FIRST}, {_LAST}]) AS channel
        """,
    ),
    (
        "what suppliers sell",  # the first of them half of everything
        f"""
        INSERT INTO purchasing_supplierproduct (supplier_id, variant_id, reference, price, currency, pack_units, minimum,
            is_primary, owners, external_id, created_at, changed_at)
        SELECT CASE WHEN mod(id, 2) = 0 THEN 1 ELSE 1 + mod(id, {SUPPLIERS}) END, id, 'REF' || id, 1 + mod(id, 45), 'EUR', 1, 0,
               true, '{{}}', '', %(at)s, %(at)s
        FROM catalog_variant WHERE kind = 'simple'
        """,
    ),
    (
        "prices told",
        """
        INSERT INTO offers_offerprice (offer_id, point_id, told, told_at, there, there_at, currency, tax_included, is_waiting,
            waiting_since, touched, refusals, is_aside)
        SELECT id, point_id, CASE WHEN mod(variant_id, 700) > 0 THEN 1 + mod(variant_id, 90) END, %(at)s, 1 + mod(variant_id, 90),
               %(at)s, 'EUR', true, mod(variant_id, 700) = 0, CASE WHEN mod(variant_id, 700) = 0 THEN %(at)s::timestamptz END, 0,
               0, mod(variant_id, 7000) = 0
        FROM offers_offer
        """,
    ),
    (
        "people",
        """
        INSERT INTO accounts_user (id, password, email, name, role, language, timezone, theme, is_active)
        SELECT 1000 + n, '', 'person' || n || '@example.com', (%(given)s::text[])[1 + mod(n, 18)] || ' ' || n,
               CASE mod(n, 3) WHEN 0 THEN 'picker' WHEN 1 THEN 'manager' ELSE 'service' END, 'en', 'UTC', 'auto', true
        FROM generate_series(1, 40) n
        """,
    ),
    (
        "events",  # one for each order, one for each deed of a person: a twentieth
        """
        INSERT INTO events_event (name, subject, facts, actor_kind, actor_id, actor_label, at)
        SELECT name, subject, facts, kind, CASE WHEN kind = 'person' THEN (1001 + mod(n, 40))::text ELSE '' END,
               CASE WHEN kind = 'person' THEN 'Somebody' ELSE 'Comptoir' END,
               %(at)s::timestamptz - (%(orders)s - n) * (interval '1095 days' / %(orders)s)
        FROM generate_series(1, %(orders)s) n, LATERAL (
            SELECT 'orders.order.placed' AS name, 'order:' || n AS subject, jsonb_build_object('number', 100000 + n) AS facts,
                   'channel' AS kind WHERE mod(n, 20) <> 7
            UNION ALL SELECT 'inventory.stock.booked', 'variant:' || 1 + mod(n, %(variants)s), '{"difference": "-1"}', 'person'
            WHERE mod(n, 20) = 7
        ) what
        """,
    ),
    (
        "what was reserved of the newest orders",
        """
        INSERT INTO events_event (name, subject, facts, actor_kind, actor_id, actor_label, at)
        SELECT 'inventory.stock.reserved', 'order:' || o.id, jsonb_build_object('lines', jsonb_object_agg(l.id,
                   CASE WHEN mod(o.id, 50) = 0 AND l.position = 1 THEN '0' ELSE '1' END)), 'system', '', 'Comptoir', o.accepted_at
        FROM orders_order o JOIN orders_line l ON l.order_id = o.id WHERE o.id > %(orders)s - %(orders)s / 100 GROUP BY o.id
        """,
    ),
    (
        "deliveries",
        f"""
        INSERT INTO webhooks_delivery (channel_id, event_id, topic, external_id, body, received_at, drained_at)
        SELECT channel, 'e' || n, 'sale', n::text, '\\x7b7d', %(at)s, CASE WHEN n < {DELIVERIES} - 5 THEN %(at)s::timestamptz END
        FROM unnest(%(channels)s::bigint[]) channel, generate_series(1, {DELIVERIES}) n
        """,
    ),
    (
        "what channels know",
        """
        INSERT INTO offers_mapping (channel_id, kind, external_id, name, ours, retry, changed_at)
        SELECT channel, kind, n::text, kind || ' ' || n, CASE WHEN kind = 'carrier' AND n = 9 THEN '' ELSE 'post' END, false, %(at)s
        FROM unnest(%(channels)s::bigint[]) channel, unnest(ARRAY['carrier', 'payment']) kind, generate_series(1, 40) n
        """,
    ),
)
