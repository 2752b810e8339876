"""The part of the Admin schema that this double answers to, written down anew: a test holds it to Shopify's own of every
version. Types and fields that are not here do not exist for the double."""

from __future__ import annotations

from functools import cache

from graphql import GraphQLSchema, build_schema

VERSIONS = ("2026-01", "2026-04", "2026-07", "2026-10")

SDL = """
directive @idempotent(key: String!) on FIELD

scalar DateTime
scalar Decimal
scalar HTML
scalar Money
scalar URL
scalar UnsignedInt64

interface Node { id: ID! }
interface DisplayableError { field: [String!] message: String! }

type PageInfo { hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String endCursor: String }

type QueryRoot {
  bulkOperation(id: ID!): BulkOperation
  bulkOperations(after: String, before: String, first: Int, last: Int, query: String, reverse: Boolean = false,
    sortKey: BulkOperationsSortKeys = CREATED_AT): BulkOperationConnection!
  currentAppInstallation: AppInstallation!
  deliveryProfiles(after: String, before: String, first: Int, last: Int, merchantOwnedOnly: Boolean,
    reverse: Boolean = false): DeliveryProfileConnection!
  fulfillment(id: ID!): Fulfillment
  fulfillmentOrder(id: ID!): FulfillmentOrder
  location(id: ID): Location
  locations(after: String, before: String, first: Int, includeInactive: Boolean = false,
    includeLegacy: Boolean = false, last: Int, query: String, reverse: Boolean = false,
    sortKey: LocationSortKeys = NAME): LocationConnection!
  node(id: ID!): Node
  nodes(ids: [ID!]!): [Node]!
  order(id: ID!): Order
  orders(after: String, before: String, first: Int, last: Int, query: String, reverse: Boolean = false,
    savedSearchId: ID, sortKey: OrderSortKeys = PROCESSED_AT): OrderConnection!
  product(id: ID!): Product
  productVariants(after: String, before: String, first: Int, last: Int, query: String, reverse: Boolean = false,
    savedSearchId: ID, sortKey: ProductVariantSortKeys = ID): ProductVariantConnection!
  products(after: String, before: String, first: Int, last: Int, query: String, reverse: Boolean = false,
    savedSearchId: ID, sortKey: ProductSortKeys = ID): ProductConnection!
  refund(id: ID!): Refund
  shop: Shop!
  webhookSubscriptions(after: String, before: String, first: Int, last: Int, query: String, reverse: Boolean = false,
    sortKey: WebhookSubscriptionSortKeys = CREATED_AT, topics: [WebhookSubscriptionTopic!],
    uri: String): WebhookSubscriptionConnection!
}

type Mutation {
  bulkOperationCancel(id: ID!): BulkOperationCancelPayload
  bulkOperationRunQuery(groupObjects: Boolean! = false, query: String!): BulkOperationRunQueryPayload
  fulfillmentCreate(fulfillment: FulfillmentInput!, message: String): FulfillmentCreatePayload
  inventoryActivate(available: Int, inventoryItemId: ID!, locationId: ID!, onHand: Int,
    stockAtLegacyLocation: Boolean = false): InventoryActivatePayload
  inventorySetQuantities(input: InventorySetQuantitiesInput!): InventorySetQuantitiesPayload
  orderCancel(notifyCustomer: Boolean = false, orderId: ID!, reason: OrderCancelReason!, refund: Boolean,
    refundMethod: OrderCancelRefundMethodInput, restock: Boolean!, staffNote: String = null): OrderCancelPayload
  productVariantsBulkUpdate(allowPartialUpdates: Boolean = false, productId: ID!,
    variants: [ProductVariantsBulkInput!]!): ProductVariantsBulkUpdatePayload
  webhookSubscriptionCreate(topic: WebhookSubscriptionTopic!,
    webhookSubscription: WebhookSubscriptionInput!): WebhookSubscriptionCreatePayload
  webhookSubscriptionDelete(id: ID!): WebhookSubscriptionDeletePayload
}

schema { query: QueryRoot mutation: Mutation }

enum BulkOperationsSortKeys { COMPLETED_AT CREATED_AT }
enum LocationSortKeys { ID NAME }
enum OrderSortKeys { CREATED_AT ID PROCESSED_AT UPDATED_AT }
enum ProductSortKeys { CREATED_AT ID TITLE UPDATED_AT }
enum ProductVariantSortKeys { ID POSITION SKU }
enum ProductMediaSortKeys { ID POSITION }
enum WebhookSubscriptionSortKeys { CREATED_AT ID }
enum MethodDefinitionSortKeys { ID }
enum DeliveryMethodDefinitionType { MERCHANT PARTICIPANT }

type UserError implements DisplayableError { field: [String!] message: String! }

type MoneyV2 { amount: Decimal! currencyCode: CurrencyCode! }
type MoneyBag { presentmentMoney: MoneyV2! shopMoney: MoneyV2! }
type Attribute { key: String! value: String }
type Count { count: Int! }

type Shop {
  currencyCode: CurrencyCode!
  ianaTimezone: String!
  id: ID!
  myshopifyDomain: String!
  name: String!
  taxesIncluded: Boolean!
  url: URL!
}

type AccessScope { description: String! handle: String! }
type AppInstallation { accessScopes: [AccessScope!]! id: ID! }

type DeliveryProfile { id: ID! name: String!
  profileLocationGroups(locationGroupId: ID): [DeliveryProfileLocationGroup!]! }
type DeliveryProfileConnection { nodes: [DeliveryProfile!]! pageInfo: PageInfo! }
type DeliveryProfileLocationGroup {
  locationGroupZones(after: String, before: String, first: Int, last: Int,
    reverse: Boolean = false): DeliveryLocationGroupZoneConnection! }
type DeliveryLocationGroupZoneConnection { nodes: [DeliveryLocationGroupZone!]! pageInfo: PageInfo! }
type DeliveryLocationGroupZone {
  methodDefinitions(after: String, before: String, eligible: Boolean, first: Int, last: Int, reverse: Boolean = false,
    sortKey: MethodDefinitionSortKeys = ID, type: DeliveryMethodDefinitionType): DeliveryMethodDefinitionConnection! }
type DeliveryMethodDefinitionConnection { nodes: [DeliveryMethodDefinition!]! pageInfo: PageInfo! }
type DeliveryMethodDefinition { active: Boolean! id: ID! name: String! }

type Location implements Node {
  fulfillsOnlineOrders: Boolean!
  id: ID!
  inventoryLevel(inventoryItemId: ID!): InventoryLevel
  inventoryLevels(after: String, before: String, first: Int, last: Int,
    query: String, reverse: Boolean = false): InventoryLevelConnection!
  isActive: Boolean!
  isFulfillmentService: Boolean!
  legacyResourceId: UnsignedInt64!
  name: String!
  shipsInventory: Boolean!
}
type LocationConnection { edges: [LocationEdge!]! nodes: [Location!]! pageInfo: PageInfo! }
type LocationEdge { cursor: String! node: Location! }

type Product implements Node {
  category: TaxonomyCategory
  createdAt: DateTime!
  descriptionHtml: HTML!
  handle: String!
  hasOnlyDefaultVariant: Boolean!
  id: ID!
  isGiftCard: Boolean!
  legacyResourceId: UnsignedInt64!
  media(after: String, before: String, first: Int, last: Int, query: String, reverse: Boolean = false,
    sortKey: ProductMediaSortKeys = POSITION): MediaConnection!
  onlineStoreUrl: URL
  productType: String!
  status: ProductStatus!
  tags: [String!]!
  title: String!
  tracksInventory: Boolean!
  updatedAt: DateTime!
  variants(after: String, before: String, first: Int, last: Int, reverse: Boolean = false,
    sortKey: ProductVariantSortKeys = POSITION): ProductVariantConnection!
  variantsCount: Count
  vendor: String!
}
type ProductConnection { edges: [ProductEdge!]! nodes: [Product!]! pageInfo: PageInfo! }
type ProductEdge { cursor: String! node: Product! }
enum ProductStatus { ACTIVE ARCHIVED DRAFT UNLISTED }
type TaxonomyCategory implements Node { fullName: String! id: ID! name: String! }

interface Media { alt: String id: ID! status: MediaStatus! }
type MediaImage implements Media & Node { alt: String id: ID! image: Image mimeType: String status: MediaStatus! }
enum MediaStatus { FAILED PROCESSING READY UPLOADED }
type MediaConnection { edges: [MediaEdge!]! nodes: [Media!]! pageInfo: PageInfo! }
type MediaEdge { cursor: String! node: Media! }
type Image { height: Int id: ID url: URL! width: Int }

type ProductVariant implements Node {
  barcode: String
  compareAtPrice: Money
  id: ID!
  inventoryItem: InventoryItem!
  inventoryPolicy: ProductVariantInventoryPolicy!
  legacyResourceId: UnsignedInt64!
  media(after: String, before: String, first: Int, last: Int, reverse: Boolean = false): MediaConnection!
  position: Int!
  price: Money!
  product: Product!
  productVariantComponents(after: String, before: String, first: Int, last: Int,
    reverse: Boolean = false): ProductVariantComponentConnection!
  requiresComponents: Boolean!
  selectedOptions: [SelectedOption!]!
  sku: String
  taxable: Boolean!
  title: String!
  updatedAt: DateTime!
}
enum ProductVariantInventoryPolicy { CONTINUE DENY }
type SelectedOption { name: String! value: String! }
type ProductVariantConnection { edges: [ProductVariantEdge!]! nodes: [ProductVariant!]! pageInfo: PageInfo! }
type ProductVariantEdge { cursor: String! node: ProductVariant! }
type ProductVariantComponent implements Node { id: ID! productVariant: ProductVariant! quantity: Int! }
type ProductVariantComponentConnection {
  edges: [ProductVariantComponentEdge!]! nodes: [ProductVariantComponent!]! pageInfo: PageInfo! }
type ProductVariantComponentEdge { cursor: String! node: ProductVariantComponent! }

type InventoryItem implements Node {
  duplicateSkuCount: Int!
  id: ID!
  inventoryLevel(locationId: ID!): InventoryLevel
  inventoryLevels(after: String, before: String, first: Int, last: Int,
    query: String, reverse: Boolean = false): InventoryLevelConnection!
  legacyResourceId: UnsignedInt64!
  measurement: InventoryItemMeasurement!
  requiresShipping: Boolean!
  sku: String
  tracked: Boolean!
  unitCost: MoneyV2
  variants(after: String, before: String, first: Int, last: Int): ProductVariantConnection
}
type InventoryItemMeasurement { id: ID! weight: Weight }
type Weight { unit: WeightUnit! value: Float! }
enum WeightUnit { GRAMS KILOGRAMS OUNCES POUNDS }
type InventoryLevel implements Node {
  id: ID!
  item: InventoryItem!
  location: Location!
  quantities(names: [String!]!): [InventoryQuantity!]!
  updatedAt: DateTime!
}
type InventoryLevelConnection { edges: [InventoryLevelEdge!]! nodes: [InventoryLevel!]! pageInfo: PageInfo! }
type InventoryLevelEdge { cursor: String! node: InventoryLevel! }
type InventoryQuantity { id: ID! name: String! quantity: Int! updatedAt: DateTime }

input InventorySetQuantitiesInput {
  %(ignore)s
  name: String! quantities: [InventoryQuantityInput!]! reason: String! referenceDocumentUri: String }
input InventoryQuantityInput {
  changeFromQuantity: Int
  %(compare)s
  inventoryItemId: ID! locationId: ID! quantity: Int! }
type InventorySetQuantitiesPayload {
  inventoryAdjustmentGroup: InventoryAdjustmentGroup userErrors: [InventorySetQuantitiesUserError!]! }
type InventorySetQuantitiesUserError implements DisplayableError {
  code: InventorySetQuantitiesUserErrorCode field: [String!] message: String! }
enum InventorySetQuantitiesUserErrorCode {
  CHANGE_FROM_QUANTITY_STALE COMPARE_QUANTITY_REQUIRED COMPARE_QUANTITY_STALE IDEMPOTENCY_CONCURRENT_REQUEST
  IDEMPOTENCY_KEY_PARAMETER_MISMATCH IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED INVALID_INVENTORY_ITEM INVALID_LOCATION
  INVALID_NAME INVALID_QUANTITY_NEGATIVE INVALID_QUANTITY_TOO_HIGH INVALID_QUANTITY_TOO_LOW INVALID_REASON
  INVALID_REFERENCE_DOCUMENT NON_MUTABLE_INVENTORY_ITEM NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR
  %(not_stocked)s }
type InventoryAdjustmentGroup implements Node {
  changes(inventoryItemIds: [ID!], locationIds: [ID!], quantityNames: [String!]): [InventoryChange!]!
  createdAt: DateTime! id: ID! reason: String! referenceDocumentUri: String }
type InventoryChange { delta: Int! item: InventoryItem location: Location name: String! quantityAfterChange: Int }
type InventoryActivatePayload { inventoryLevel: InventoryLevel userErrors: [UserError!]! }

type TaxLine { priceSet: MoneyBag! rate: Float title: String! }
type DiscountAllocation { allocatedAmountSet: MoneyBag! }
type AdditionalFee implements Node { id: ID! name: String! price: MoneyBag! taxLines: [TaxLine!]! }
type MailingAddress implements Node {
  address1: String address2: String city: String company: String countryCodeV2: CountryCode firstName: String id: ID!
  lastName: String phone: String provinceCode: String zip: String }
type Customer implements Node { firstName: String id: ID! lastName: String legacyResourceId: UnsignedInt64! }

type Order implements Node {
  additionalFees: [AdditionalFee!]!
  billingAddress: MailingAddress
  cancelReason: OrderCancelReason
  cancelledAt: DateTime
  closedAt: DateTime
  confirmed: Boolean!
  createdAt: DateTime!
  currencyCode: CurrencyCode!
  currentTotalDutiesSet: MoneyBag
  currentTotalPriceSet: MoneyBag!
  customAttributes: [Attribute!]!
  customer: Customer
  discountCodes: [String!]!
  displayFinancialStatus: OrderDisplayFinancialStatus
  displayFulfillmentStatus: OrderDisplayFulfillmentStatus!
  dutiesIncluded: Boolean!
  edited: Boolean!
  email: String
  fulfillmentOrders(after: String, before: String, displayable: Boolean = false, first: Int, last: Int, query: String,
    reverse: Boolean = false): FulfillmentOrderConnection!
  fulfillments(first: Int, query: String): [Fulfillment!]!
  fullyPaid: Boolean!
  id: ID!
  legacyResourceId: UnsignedInt64!
  lineItems(after: String, before: String, first: Int, last: Int, reverse: Boolean = false): LineItemConnection!
  name: String!
  note: String
  paymentGatewayNames: [String!]!
  phone: String
  presentmentCurrencyCode: CurrencyCode!
  processedAt: DateTime!
  refunds(first: Int): [Refund!]!
  retailLocation: Location
  shippingAddress: MailingAddress
  shippingLines(after: String, before: String, first: Int, includeRemovals: Boolean = false, last: Int,
    reverse: Boolean = false): ShippingLineConnection!
  sourceName: String
  tags: [String!]!
  taxLines: [TaxLine!]!
  taxesIncluded: Boolean!
  test: Boolean!
  totalDiscountsSet: MoneyBag
  totalOutstandingSet: MoneyBag!
  totalPriceSet: MoneyBag!
  totalRefundedSet: MoneyBag!
  totalShippingPriceSet: MoneyBag!
  totalTaxSet: MoneyBag
  totalTipReceivedSet: MoneyBag!
  transactions(capturable: Boolean, first: Int, manuallyResolvable: Boolean): [OrderTransaction!]!
  updatedAt: DateTime!
}
type OrderConnection { edges: [OrderEdge!]! nodes: [Order!]! pageInfo: PageInfo! }
type OrderEdge { cursor: String! node: Order! }
enum OrderCancelReason { CUSTOMER DECLINED FRAUD INVENTORY OTHER STAFF }
enum OrderDisplayFinancialStatus {
  AUTHORIZED EXPIRED PAID PARTIALLY_PAID PARTIALLY_REFUNDED PENDING REFUNDED VOIDED }
enum OrderDisplayFulfillmentStatus {
  FULFILLED IN_PROGRESS ON_HOLD OPEN PARTIALLY_FULFILLED PENDING_FULFILLMENT REQUEST_DECLINED RESTOCKED SCHEDULED
  UNFULFILLED
  %(not_required)s }

type LineItem implements Node {
  currentQuantity: Int!
  discountAllocations: [DiscountAllocation!]!
  id: ID!
  isGiftCard: Boolean!
  name: String!
  originalUnitPriceSet: MoneyBag!
  product: Product
  quantity: Int!
  requiresShipping: Boolean!
  sku: String
  taxLines(first: Int): [TaxLine!]!
  title: String!
  unfulfilledQuantity: Int!
  variant: ProductVariant
  variantTitle: String
}
type LineItemConnection { edges: [LineItemEdge!]! nodes: [LineItem!]! pageInfo: PageInfo! }
type LineItemEdge { cursor: String! node: LineItem! }
type ShippingLine { code: String discountedPriceSet: MoneyBag! id: ID taxLines: [TaxLine!]! title: String! }
type ShippingLineConnection { nodes: [ShippingLine!]! pageInfo: PageInfo! }
type OrderTransaction implements Node {
  amountSet: MoneyBag! formattedGateway: String gateway: String id: ID! kind: OrderTransactionKind!
  processedAt: DateTime status: OrderTransactionStatus! }
enum OrderTransactionKind { AUTHORIZATION CAPTURE CHANGE EMV_AUTHORIZATION REFUND SALE SUGGESTED_REFUND VOID }
enum OrderTransactionStatus { AWAITING_RESPONSE ERROR FAILURE PENDING SUCCESS UNKNOWN }
type Refund implements Node {
  createdAt: DateTime
  id: ID!
  legacyResourceId: UnsignedInt64!
  refundLineItems(after: String, before: String, first: Int, last: Int,
    reverse: Boolean = false): RefundLineItemConnection!
  totalRefundedSet: MoneyBag!
}
type RefundLineItem {
  lineItem: LineItem! location: Location quantity: Int! restockType: RefundLineItemRestockType! }
enum RefundLineItemRestockType { CANCEL LEGACY_RESTOCK NO_RESTOCK RETURN }
type RefundLineItemConnection { nodes: [RefundLineItem!]! pageInfo: PageInfo! }

type FulfillmentOrder implements Node {
  assignedLocation: FulfillmentOrderAssignedLocation!
  fulfillmentHolds: [FulfillmentHold!]!
  id: ID!
  lineItems(after: String, before: String, first: Int, last: Int,
    reverse: Boolean = false): FulfillmentOrderLineItemConnection!
  requestStatus: FulfillmentOrderRequestStatus!
  status: FulfillmentOrderStatus!
  supportedActions: [FulfillmentOrderSupportedAction!]!
}
type FulfillmentOrderConnection { edges: [FulfillmentOrderEdge!]! nodes: [FulfillmentOrder!]! pageInfo: PageInfo! }
type FulfillmentOrderEdge { cursor: String! node: FulfillmentOrder! }
enum FulfillmentOrderStatus { CANCELLED CLOSED INCOMPLETE IN_PROGRESS ON_HOLD OPEN SCHEDULED }
enum FulfillmentOrderRequestStatus { UNSUBMITTED }
enum FulfillmentOrderAction {
  CANCEL_FULFILLMENT_ORDER CREATE_FULFILLMENT EXTERNAL HOLD MARK_AS_OPEN MERGE MOVE RELEASE_HOLD
  REQUEST_CANCELLATION REQUEST_FULFILLMENT SPLIT }
type FulfillmentOrderSupportedAction { action: FulfillmentOrderAction! }
type FulfillmentOrderAssignedLocation { location: Location name: String! }
type FulfillmentHold implements Node { id: ID! reason: FulfillmentHoldReason! reasonNotes: String }
enum FulfillmentHoldReason {
  AWAITING_PAYMENT AWAITING_RETURN_ITEMS HIGH_RISK_OF_FRAUD INCORRECT_ADDRESS INVENTORY_OUT_OF_STOCK
  ONLINE_STORE_POST_PURCHASE_CROSS_SELL OTHER UNKNOWN_DELIVERY_DATE }
type FulfillmentOrderLineItem implements Node {
  id: ID! inventoryItemId: ID lineItem: LineItem! remainingQuantity: Int! sku: String totalQuantity: Int! }
type FulfillmentOrderLineItemConnection { nodes: [FulfillmentOrderLineItem!]! pageInfo: PageInfo! }

type Fulfillment implements Node {
  createdAt: DateTime!
  fulfillmentLineItems(after: String, before: String, first: Int, last: Int,
    reverse: Boolean = false): FulfillmentLineItemConnection!
  id: ID!
  legacyResourceId: UnsignedInt64!
  location: Location
  status: FulfillmentStatus!
  trackingInfo(first: Int): [FulfillmentTrackingInfo!]!
}
enum FulfillmentStatus { CANCELLED ERROR FAILURE OPEN PENDING SUCCESS }
type FulfillmentLineItem implements Node { id: ID! lineItem: LineItem! quantity: Int }
type FulfillmentLineItemConnection { nodes: [FulfillmentLineItem!]! pageInfo: PageInfo! }
type FulfillmentTrackingInfo { company: String number: String url: URL }
input FulfillmentInput {
  lineItemsByFulfillmentOrder: [FulfillmentOrderLineItemsInput!]! notifyCustomer: Boolean
  trackingInfo: FulfillmentTrackingInput }
input FulfillmentOrderLineItemsInput {
  fulfillmentOrderId: ID! fulfillmentOrderLineItems: [FulfillmentOrderLineItemInput!] }
input FulfillmentOrderLineItemInput { id: ID! quantity: Int! }
input FulfillmentTrackingInput { company: String number: String numbers: [String!] url: URL urls: [URL!] }
type FulfillmentCreatePayload { fulfillment: Fulfillment userErrors: [UserError!]! }

input OrderCancelRefundMethodInput { originalPaymentMethodsRefund: Boolean }
type OrderCancelPayload { job: Job orderCancelUserErrors: [OrderCancelUserError!]! }
type OrderCancelUserError implements DisplayableError {
  code: OrderCancelUserErrorCode field: [String!] message: String! }
enum OrderCancelUserErrorCode { INTERNAL_ERROR INVALID NOT_FOUND }
type Job { done: Boolean! id: ID! }

input ProductVariantsBulkInput { id: ID price: Money }
type ProductVariantsBulkUpdatePayload {
  product: Product productVariants: [ProductVariant!] userErrors: [ProductVariantsBulkUpdateUserError!]! }
type ProductVariantsBulkUpdateUserError implements DisplayableError {
  code: ProductVariantsBulkUpdateUserErrorCode field: [String!] message: String! }
enum ProductVariantsBulkUpdateUserErrorCode {
  GREATER_THAN_OR_EQUAL_TO INVALID_VALUE NEGATIVE_PRICE_VALUE PRODUCT_DOES_NOT_EXIST PRODUCT_VARIANT_DOES_NOT_EXIST }

type BulkOperation implements Node {
  completedAt: DateTime createdAt: DateTime! errorCode: BulkOperationErrorCode fileSize: UnsignedInt64 id: ID!
  objectCount: UnsignedInt64! partialDataUrl: URL query: String! rootObjectCount: UnsignedInt64!
  status: BulkOperationStatus! type: BulkOperationType! url: URL }
enum BulkOperationErrorCode { ACCESS_DENIED INTERNAL_SERVER_ERROR TIMEOUT }
enum BulkOperationStatus { CANCELED CANCELING COMPLETED CREATED EXPIRED FAILED RUNNING }
enum BulkOperationType { MUTATION QUERY }
type BulkOperationConnection { nodes: [BulkOperation!]! pageInfo: PageInfo! }
type BulkOperationRunQueryPayload { bulkOperation: BulkOperation userErrors: [BulkOperationUserError!]! }
type BulkOperationCancelPayload { bulkOperation: BulkOperation userErrors: [UserError!]! }
type BulkOperationUserError implements DisplayableError {
  code: BulkOperationUserErrorCode field: [String!] message: String! }
enum BulkOperationUserErrorCode { INVALID LIMIT_REACHED OPERATION_IN_PROGRESS }

type WebhookSubscription implements Node {
  createdAt: DateTime! filter: String format: WebhookSubscriptionFormat! id: ID! topic: WebhookSubscriptionTopic!
  updatedAt: DateTime! uri: String! }
type WebhookSubscriptionConnection { nodes: [WebhookSubscription!]! pageInfo: PageInfo! }
enum WebhookSubscriptionFormat { JSON XML }
enum WebhookSubscriptionTopic {
  APP_UNINSTALLED BULK_OPERATIONS_FINISH INVENTORY_ITEMS_UPDATE INVENTORY_LEVELS_CONNECT INVENTORY_LEVELS_DISCONNECT
  INVENTORY_LEVELS_UPDATE LOCATIONS_UPDATE ORDERS_CANCELLED ORDERS_CREATE ORDERS_EDITED ORDERS_FULFILLED ORDERS_PAID
  ORDERS_PARTIALLY_FULFILLED ORDERS_UPDATED PRODUCTS_CREATE PRODUCTS_DELETE PRODUCTS_UPDATE REFUNDS_CREATE }
input WebhookSubscriptionInput { filter: String format: WebhookSubscriptionFormat uri: String }
type WebhookSubscriptionCreatePayload { userErrors: [UserError!]! webhookSubscription: WebhookSubscription }
type WebhookSubscriptionDeletePayload { deletedWebhookSubscriptionId: ID userErrors: [UserError!]! }

enum CurrencyCode { AUD CAD CHF DKK EUR GBP INR JPY NOK NZD PLN SEK USD UYU }
enum CountryCode { AU BE CA CH DE ES FR GB IE IN IT JP NL NO NZ PL SE US UY }
"""


def sdl(version: str) -> str:
    """The schema of a version, with what only this one has."""
    return SDL % {
        "ignore": "ignoreCompareQuantity: Boolean" if version == "2026-01" else "",
        "compare": "compareQuantity: Int" if version == "2026-01" else "",
        "not_stocked": "" if version >= "2026-10" else "ITEM_NOT_STOCKED_AT_LOCATION",
        "not_required": "FULFILLMENT_NOT_REQUIRED" if version >= "2026-10" else "",
    }


@cache
def schema(version: str) -> GraphQLSchema:
    """The schema of a version."""
    return build_schema(sdl(version))
