"""Every operation that is sent to Shopify, in one place: `ALL` is held to the Admin schema of each version that we claim."""

from __future__ import annotations

_MONEY = "{ shopMoney { amount currencyCode } }"
_TAX = "taxLines { title rate priceSet { shopMoney { amount } } }"
_PAGE = "pageInfo { hasNextPage endCursor }"
_ADDRESS = "{ firstName lastName company address1 address2 zip city provinceCode countryCodeV2 phone }"

# -- who is there --------------------------------------------------------------------------------------------------------

SHOP = """
query ComptoirShop {
  shop { name myshopifyDomain currencyCode ianaTimezone taxesIncluded url }
  locations(first: 250) { nodes { legacyResourceId name isActive fulfillsOnlineOrders } }
}
"""

RIGHTS = """
query ComptoirRights { currentAppInstallation { accessScopes { handle } } }
"""

CARRIERS = """
query ComptoirCarriers {
  deliveryProfiles(first: 5) { nodes { profileLocationGroups {
    locationGroupZones(first: 10) { nodes { methodDefinitions(first: 20) { nodes { name active } } } }
  } } }
}
"""

# -- products ------------------------------------------------------------------------------------------------------------

_MEDIA = "id ... on MediaImage { image { url } }"
_VARIANT = """
  id legacyResourceId sku barcode title price taxable requiresComponents
  selectedOptions { name value }
  inventoryItem {
    legacyResourceId tracked requiresShipping unitCost { amount } measurement { weight { value unit } }
  }
"""
_PRODUCT = """
  id legacyResourceId title status vendor productType descriptionHtml updatedAt isGiftCard hasOnlyDefaultVariant
  onlineStoreUrl handle category { fullName }
"""
_VARIANT_PAGE = f"{{ {_PAGE} nodes {{ {_VARIANT} media(first: 1) {{ nodes {{ {_MEDIA} }} }} }} }}"
_VARIANTS = f"variants(first: 50) {_VARIANT_PAGE}"
_IMAGES = f"media(first: 20) {{ nodes {{ {_MEDIA} }} }}"

PRODUCTS = f"""
query ComptoirProducts($first: Int!, $after: String, $query: String, $sort: ProductSortKeys!) {{
  products(first: $first, after: $after, query: $query, sortKey: $sort) {{
    {_PAGE} nodes {{ {_PRODUCT} {_IMAGES} {_VARIANTS} }}
  }}
}}
"""

PRODUCTS_BY_ID = f"""
query ComptoirProductsById($ids: [ID!]!) {{
  nodes(ids: $ids) {{ ... on Product {{ {_PRODUCT} {_IMAGES} {_VARIANTS} }} }}
}}
"""

MORE_VARIANTS = f"""
query ComptoirMoreVariants($id: ID!, $after: String) {{
  product(id: $id) {{ variants(first: 100, after: $after) {_VARIANT_PAGE} }}
}}
"""

PARTS = f"""
query ComptoirParts($ids: [ID!]!) {{
  nodes(ids: $ids) {{ ... on ProductVariant {{ id productVariantComponents(first: 50) {{
    {_PAGE} nodes {{ id quantity productVariant {{ legacyResourceId }} }} }} }} }}
}}
"""

#: What the bulk operation runs: one top-level field, five connections, two levels of nesting are all that it takes.
BULK_PRODUCTS = f"""
{{
  products {{ edges {{ node {{ {_PRODUCT}
    media {{ edges {{ node {{ {_MEDIA} }} }} }}
    variants {{ edges {{ node {{
      {_VARIANT} media {{ edges {{ node {{ {_MEDIA} }} }} }}
      productVariantComponents {{ edges {{ node {{ id quantity productVariant {{ legacyResourceId }} }} }} }}
    }} }} }}
  }} }} }}
}}
"""

BULK_START = """
mutation ComptoirBulkStart($query: String!) {
  bulkOperationRunQuery(query: $query, groupObjects: true) {
    bulkOperation { id status createdAt } userErrors { code field message }
  }
}
"""

BULK_LATEST = """
query ComptoirBulkLatest { bulkOperations(first: 10, reverse: true) { nodes { id status createdAt query type } } }
"""

BULK = """
query ComptoirBulk($id: ID!) { bulkOperation(id: $id) { id status errorCode objectCount fileSize url } }
"""

# -- sales ---------------------------------------------------------------------------------------------------------------

_LINE = f"""
  id title variantTitle sku quantity currentQuantity requiresShipping isGiftCard
  variant {{ legacyResourceId barcode }} product {{ legacyResourceId }}
  originalUnitPriceSet {_MONEY}
  discountAllocations {{ allocatedAmountSet {{ shopMoney {{ amount }} }} }}
  {_TAX}
"""
_REFUND_LINE = "quantity lineItem { id }"
_SHIPPED_LINE = "quantity lineItem { id }"
_ORDER = f"""
  id legacyResourceId name createdAt updatedAt cancelledAt closedAt confirmed test edited
  displayFinancialStatus displayFulfillmentStatus currencyCode taxesIncluded dutiesIncluded
  totalPriceSet {_MONEY} totalTaxSet {_MONEY} totalTipReceivedSet {_MONEY} currentTotalDutiesSet {_MONEY}
  additionalFees {{ name price {_MONEY} {_TAX} }}
  shippingLines(first: 5) {{ nodes {{ title code discountedPriceSet {_MONEY} {_TAX} }} }}
  paymentGatewayNames
  transactions(first: 20) {{ id kind status gateway formattedGateway processedAt amountSet {_MONEY} }}
  email phone note customer {{ legacyResourceId firstName lastName }}
  billingAddress {_ADDRESS} shippingAddress {_ADDRESS}
  retailLocation {{ legacyResourceId }}
  fulfillmentOrders(first: 3) {{ nodes {{ assignedLocation {{ location {{ legacyResourceId }} }} }} }}
  lineItems(first: 20) {{ {_PAGE} nodes {{ {_LINE} }} }}
  refunds(first: 20) {{ id refundLineItems(first: 10) {{ {_PAGE} nodes {{ {_REFUND_LINE} }} }} }}
  fulfillments(first: 20) {{
    id status trackingInfo(first: 10) {{ company number url }}
    fulfillmentLineItems(first: 20) {{ {_PAGE} nodes {{ {_SHIPPED_LINE} }} }}
  }}
"""

ORDERS = f"""
query ComptoirOrders($first: Int!, $after: String, $query: String!) {{
  orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {{ {_PAGE} nodes {{ {_ORDER} }} }}
}}
"""

ORDERS_BY_ID = f"""
query ComptoirOrdersById($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Order {{ {_ORDER} }} }} }}
"""

ORDER_IDS = f"""
query ComptoirOrderIds($after: String, $query: String!) {{
  orders(first: 250, after: $after, query: $query, sortKey: CREATED_AT) {{ {_PAGE} nodes {{ legacyResourceId }} }}
}}
"""

MORE_LINES = f"""
query ComptoirMoreLines($id: ID!, $after: String) {{
  order(id: $id) {{ lineItems(first: 50, after: $after) {{ {_PAGE} nodes {{ {_LINE} }} }} }}
}}
"""

MORE_REFUNDED = f"""
query ComptoirMoreRefunded($id: ID!, $after: String) {{
  refund(id: $id) {{ refundLineItems(first: 100, after: $after) {{ {_PAGE} nodes {{ {_REFUND_LINE} }} }} }}
}}
"""

MORE_SHIPPED = f"""
query ComptoirMoreShipped($id: ID!, $after: String) {{
  fulfillment(id: $id) {{ fulfillmentLineItems(first: 100, after: $after) {{ {_PAGE} nodes {{ {_SHIPPED_LINE} }} }} }}
}}
"""

# -- stock ---------------------------------------------------------------------------------------------------------------

_ITEM = "legacyResourceId tracked variants(first: 1) { nodes { legacyResourceId requiresComponents } }"
_QUANTITIES = 'quantities(names: ["available"]) { name quantity }'

FIGURES = f"""
query ComptoirFigures($location: ID!, $first: Int!, $after: String) {{
  location(id: $location) {{ inventoryLevels(first: $first, after: $after) {{
    {_PAGE} nodes {{ item {{ {_ITEM} }} {_QUANTITIES} }}
  }} }}
}}
"""

FIGURES_BY_ITEM = f"""
query ComptoirFiguresByItem($ids: [ID!]!, $location: ID!) {{
  nodes(ids: $ids) {{ ... on InventoryItem {{ {_ITEM} inventoryLevel(locationId: $location) {{ {_QUANTITIES} }} }} }}
}}
"""

ITEMS_OF_VARIANTS = """
query ComptoirItemsOfVariants($ids: [ID!]!) {
  nodes(ids: $ids) { ... on ProductVariant { legacyResourceId inventoryItem { legacyResourceId } } }
}
"""

SET_LEVELS = """
mutation ComptoirSetLevels($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id } userErrors { code field message }
  }
}
"""

ACTIVATE = f"""
mutation ComptoirActivate($item: ID!, $location: ID!, $available: Int, $key: String!) {{
  inventoryActivate(inventoryItemId: $item, locationId: $location, available: $available) @idempotent(key: $key) {{
    inventoryLevel {{ {_QUANTITIES} }} userErrors {{ field message }}
  }}
}}
"""

# -- prices --------------------------------------------------------------------------------------------------------------

PRICES = """
query ComptoirPrices($ids: [ID!]!) {
  nodes(ids: $ids) { ... on ProductVariant { legacyResourceId price taxable product { legacyResourceId } } }
}
"""

SET_PRICES = """
mutation ComptoirSetPrices($product: ID!, $variants: [ProductVariantsBulkInput!]!) {
  productVariantsBulkUpdate(productId: $product, variants: $variants, allowPartialUpdates: true) {
    productVariants { legacyResourceId } userErrors { code field message }
  }
}
"""

# -- parcels and cancellations -------------------------------------------------------------------------------------------

_TO_SHIP = "id remainingQuantity lineItem { id }"

MORE_TO_SHIP = f"""
query ComptoirMoreToShip($id: ID!, $after: String) {{
  fulfillmentOrder(id: $id) {{ lineItems(first: 100, after: $after) {{ {_PAGE} nodes {{ {_TO_SHIP} }} }} }}
}}
"""

SHIPPING = f"""
query ComptoirShipping($id: ID!) {{
  order(id: $id) {{
    legacyResourceId cancelledAt
    fulfillmentOrders(first: 20) {{ nodes {{
      id status assignedLocation {{ location {{ legacyResourceId }} }}
      supportedActions {{ action }} fulfillmentHolds {{ reason reasonNotes }}
      lineItems(first: 100) {{ {_PAGE} nodes {{ {_TO_SHIP} }} }}
    }} }}
    fulfillments(first: 100) {{
      id status trackingInfo(first: 10) {{ company number url }}
      fulfillmentLineItems(first: 100) {{ {_PAGE} nodes {{ {_SHIPPED_LINE} }} }}
    }}
  }}
}}
"""

SHIP = """
mutation ComptoirShip($fulfillment: FulfillmentInput!) {
  fulfillmentCreate(fulfillment: $fulfillment) { fulfillment { id status } userErrors { field message } }
}
"""

CANCELLED = """
query ComptoirCancelled($id: ID!) { order(id: $id) { legacyResourceId cancelledAt } }
"""

CANCEL = """
mutation ComptoirCancel($id: ID!, $refund: Boolean!) {
  orderCancel(
    orderId: $id, reason: OTHER, restock: true, notifyCustomer: false,
    refundMethod: { originalPaymentMethodsRefund: $refund }, staffNote: "Cancelled in Comptoir"
  ) { job { id done } orderCancelUserErrors { code field message } }
}
"""

# -- webhooks ------------------------------------------------------------------------------------------------------------

SUBSCRIPTIONS = f"""
query ComptoirSubscriptions($uri: String!, $after: String) {{
  webhookSubscriptions(first: 100, after: $after, uri: $uri) {{ {_PAGE} nodes {{ id topic uri }} }}
}}
"""

SUBSCRIBE = """
mutation ComptoirSubscribe($topic: WebhookSubscriptionTopic!, $subscription: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $subscription) {
    webhookSubscription { id } userErrors { field message }
  }
}
"""

UNSUBSCRIBE = """
mutation ComptoirUnsubscribe($id: ID!) {
  webhookSubscriptionDelete(id: $id) { deletedWebhookSubscriptionId userErrors { field message } }
}
"""

ALL: dict[str, str] = {
    name: text for name, text in list(globals().items()) if name.isupper() and isinstance(text, str) and name[0] != "_"
}
