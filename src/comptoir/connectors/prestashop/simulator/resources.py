"""The resources of the simulated webservice: fields, kinds, what is required, computed or read-only. Data, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

EMPTY_DATE = "0000-00-00 00:00:00"

#: kind -> what an empty or left-out value becomes in the database
EMPTY = {
    "id": 0,
    "int": 0,
    "bool": 0,
    "money": "0.000000",
    "rate": "0.000",
    "date": EMPTY_DATE,
    "text": "",
}
NUMERIC = {"id", "int", "bool", "money", "rate"}


@dataclass(frozen=True)
class Field:
    """One field of a resource as the webservice shows it."""

    name: str
    kind: str
    required: bool = False
    many: bool = False  #: one value per language
    computed: bool = False  #: made by code: neither filtered nor sorted
    fixed: bool = False  #: may not be sent (error 93)
    hidden: bool = False  #: stored, never shown
    link: str = ""  #: the resource that its value points to
    size: int = 0


@dataclass(frozen=True)
class Association:
    """A list inside an object."""

    name: str
    node: str
    fields: tuple[str, ...] = ("id",)
    stored: bool = True  #: kept with the object; otherwise read from other tables
    resource: str = ""  #: where its elements link to


@dataclass(frozen=True)
class Resource:
    """One address under /api."""

    name: str
    node: str
    fields: tuple[Field, ...]
    associations: tuple[Association, ...] = ()
    forbidden: frozenset[str] = frozenset()
    shop: str = ""  #: "row": carries id_shop; "list": belongs to a list of shops

    @cached_property
    def by_name(self) -> dict[str, Field]:
        """Fields by name."""
        return {one.name: one for one in self.fields}

    @cached_property
    def columns(self) -> tuple[Field, ...]:
        """Fields that are stored."""
        return tuple(one for one in self.fields if not one.computed)

    @cached_property
    def shown(self) -> tuple[Field, ...]:
        """Fields that are displayed."""
        return tuple(one for one in self.fields if not one.hidden)


def _field(line: str) -> Field:
    name, kind, *flags = line.split()
    known: dict[str, object] = {}
    for flag in flags:
        if flag.startswith("->"):
            known["link"] = flag[2:]
        elif flag.startswith("<="):
            known["size"] = int(flag[2:])
        elif flag == "*":
            known["required"] = True
        elif flag in {"many", "computed", "fixed", "hidden"}:
            known[flag] = True
        else:
            raise ValueError(f"field {name}: unknown flag {flag}")
    return Field(name, kind, **known)  # type: ignore[arg-type]  # flags checked above


def _resource(
    name: str, node: str, lines: str, *associations: Association, forbidden: tuple[str, ...] = (), shop: str = ""
) -> Resource:
    fields = tuple(_field(line) for line in lines.strip().splitlines() if line.strip())
    return Resource(name, node, fields, associations, frozenset(forbidden), shop)


_DEFINITIONS = [
    _resource(
        "products",
        "product",
        """
        id_manufacturer id ->manufacturers
        id_supplier id ->suppliers
        id_category_default id ->categories
        new text computed
        cache_default_attribute id
        id_default_image id computed
        id_default_combination id computed ->combinations
        id_tax_rules_group id ->tax_rule_groups
        position_in_category int computed
        manufacturer_name text computed fixed
        quantity int computed fixed
        type text computed
        id_shop_default id ->shops
        reference text <=64
        supplier_reference text <=64
        location text <=255
        width money
        height money
        depth money
        weight money
        quantity_discount bool
        ean13 text <=13
        isbn text <=32
        upc text <=12
        mpn text <=40
        cache_is_pack bool
        cache_has_attachments bool
        is_virtual bool
        state int
        additional_delivery_times int
        product_type text
        on_sale bool
        online_only bool
        ecotax money
        minimal_quantity int
        low_stock_threshold int
        price money *
        wholesale_price money
        unity text <=255
        unit_price_ratio money
        unit_price money
        additional_shipping_cost money
        customizable int
        active bool
        redirect_type text
        available_for_order bool
        available_date date
        show_condition bool
        condition text
        show_price bool
        indexed bool
        visibility text
        advanced_stock_management bool
        date_add date
        date_upd date
        pack_stock_type int
        meta_description text many <=512
        meta_title text many <=128
        link_rewrite text many <=128
        name text many * <=128
        description text many
        description_short text many
        available_now text many <=255
        available_later text many <=255
        """,
        Association("categories", "category", resource="categories"),
        Association("images", "image", stored=False, resource="images"),
        Association("combinations", "combination", stored=False, resource="combinations"),
        Association("product_option_values", "product_option_value", stored=False, resource="product_option_values"),
        Association("product_features", "product_feature", ("id", "id_feature_value"), resource="product_features"),
        Association("tags", "tag", resource="tags"),
        Association(
            "stock_availables",
            "stock_available",
            ("id", "id_product_attribute"),
            stored=False,
            resource="stock_availables",
        ),
        Association("attachments", "attachment"),
        Association("accessories", "product", resource="products"),
        Association("product_bundle", "product", ("id", "id_product_attribute", "quantity"), resource="products"),
        shop="list",
    ),
    _resource(
        "combinations",
        "combination",
        """
        id_product id * ->products
        location text
        ean13 text <=13
        isbn text <=32
        upc text <=12
        mpn text <=40
        quantity int computed fixed
        reference text <=64
        supplier_reference text <=64
        wholesale_price money
        price money
        ecotax money
        weight money
        unit_price_impact money
        minimal_quantity int *
        low_stock_threshold int
        default_on bool
        available_date date
        """,
        Association("product_option_values", "product_option_value", resource="product_option_values"),
        Association("images", "image", resource="images"),
    ),
    _resource(
        "product_options",
        "product_option",
        """
        is_color_group bool
        group_type text *
        position int
        name text many * <=128
        public_name text many * <=64
        """,
        Association("product_option_values", "product_option_value", stored=False, resource="product_option_values"),
    ),
    _resource(
        "product_option_values",
        "product_option_value",
        """
        id_attribute_group id * ->product_options
        color text
        position int
        name text many * <=128
        """,
    ),
    _resource("product_features", "product_feature", "position int\nname text many * <=128"),
    _resource(
        "product_feature_values",
        "product_feature_value",
        "id_feature id * ->product_features\ncustom bool\nvalue text many * <=255",
    ),
    _resource(
        "categories",
        "category",
        """
        id_parent id ->categories
        level_depth int computed fixed
        nb_products_recursive int computed fixed
        active bool *
        id_shop_default id
        is_root_category bool
        position int
        date_add date
        date_upd date
        name text many * <=128
        link_rewrite text many * <=128
        description text many
        """,
        Association("categories", "category", stored=False, resource="categories"),
        Association("products", "product", stored=False, resource="products"),
    ),
    _resource(
        "manufacturers",
        "manufacturer",
        """
        active bool
        link_rewrite text computed fixed
        name text * <=64
        date_add date
        date_upd date
        description text many
        short_description text many
        """,
    ),
    _resource(
        "suppliers",
        "supplier",
        """
        link_rewrite text computed fixed
        name text * <=64
        active bool
        date_add date
        date_upd date
        description text many
        meta_title text many
        meta_description text many
        """,
    ),
    _resource(
        "product_suppliers",
        "product_supplier",
        """
        id_product id * ->products
        id_product_attribute id * ->combinations
        id_supplier id * ->suppliers
        id_currency id ->currencies
        product_supplier_reference text <=64
        product_supplier_price_te money
        """,
    ),
    _resource("tags", "tag", "id_lang id * ->languages\nname text *"),
    _resource(
        "tax_rule_groups", "tax_rule_group", "name text * <=64\nactive bool\ndeleted bool\ndate_add date\ndate_upd date"
    ),
    _resource(
        "tax_rules",
        "tax_rule",
        """
        id_tax_rules_group id * ->tax_rule_groups
        id_state id ->states
        id_country id * ->countries
        zipcode_from text
        zipcode_to text
        id_tax id * ->taxes
        behavior int
        description text
        """,
    ),
    _resource("taxes", "tax", "rate rate *\nactive bool\ndeleted bool\nname text many * <=32"),
    _resource(
        "currencies",
        "currency",
        """
        name text * <=64
        symbol text
        iso_code text * <=3
        numeric_iso_code text
        precision int
        conversion_rate money *
        deleted bool
        active bool
        """,
    ),
    _resource(
        "countries",
        "country",
        """
        id_zone id *
        id_currency id ->currencies
        call_prefix int
        iso_code text * <=3
        active bool
        contains_states bool
        need_identification_number bool
        need_zip_code bool
        zip_code_format text
        display_tax_label bool
        name text many * <=64
        """,
    ),
    _resource(
        "states",
        "state",
        "id_zone id *\nid_country id * ->countries\niso_code text * <=7\nname text * <=80\nactive bool",
    ),
    _resource(
        "languages",
        "language",
        """
        name text * <=32
        iso_code text * <=2
        locale text
        language_code text
        active bool
        is_rtl bool
        date_format_lite text
        date_format_full text
        """,
    ),
    _resource(
        "carriers",
        "carrier",
        """
        deleted bool
        is_module bool
        id_tax_rules_group id ->tax_rule_groups
        id_reference id
        name text * <=64
        active bool *
        is_free bool
        url text
        shipping_handling bool
        shipping_external bool
        range_behavior bool
        shipping_method int
        max_width int
        max_height int
        max_depth int
        max_weight money
        grade int
        external_module_name text
        need_range bool
        position int
        delay text many * <=512
        """,
    ),
    _resource(
        "configurations",
        "configuration",
        """
        value text
        name text * <=254
        id_shop_group id ->shop_groups
        id_shop id ->shops
        date_add date
        date_upd date
        """,
    ),
    _resource(
        "shop_groups",
        "shop_group",
        """
        name text * <=64
        color text
        share_customer bool *
        share_order bool *
        share_stock bool *
        active bool
        deleted bool
        """,
    ),
    _resource(
        "shops",
        "shop",
        """
        id_shop_group id * ->shop_groups
        id_category id *
        active bool
        deleted bool
        name text * <=64
        color text
        theme_name text
        """,
    ),
    _resource(
        "order_states",
        "order_state",
        """
        unremovable bool
        delivery bool
        hidden bool
        send_email bool
        module_name text
        invoice bool
        color text
        logable bool
        shipped bool
        paid bool
        pdf_delivery bool
        pdf_invoice bool
        deleted bool
        name text many * <=64
        template text many <=64
        """,
    ),
    _resource(
        "customers",
        "customer",
        """
        id_default_group id
        id_lang id ->languages
        deleted bool
        passwd text fixed hidden
        lastname text * <=255
        firstname text * <=255
        email text * <=255
        id_gender id
        newsletter bool
        optin bool
        website text
        company text <=255
        siret text
        ape text
        active bool
        note text
        is_guest bool
        id_shop id ->shops
        id_shop_group id
        date_add date
        date_upd date
        """,
        shop="row",
    ),
    _resource(
        "addresses",
        "address",
        """
        id_customer id ->customers
        id_manufacturer id ->manufacturers
        id_supplier id ->suppliers
        id_warehouse id
        id_country id * ->countries
        id_state id ->states
        alias text * <=32
        company text <=255
        lastname text * <=255
        firstname text * <=255
        vat_number text <=32
        address1 text * <=128
        address2 text <=128
        postcode text <=12
        city text * <=64
        other text <=300
        phone text <=32
        phone_mobile text <=32
        dni text <=16
        deleted bool
        date_add date
        date_upd date
        """,
    ),
    _resource(
        "orders",
        "order",
        """
        id_address_delivery id * ->addresses
        id_address_invoice id * ->addresses
        id_cart id *
        id_currency id * ->currencies
        id_lang id * ->languages
        id_customer id * ->customers
        id_carrier id * ->carriers
        current_state id ->order_states
        module text *
        invoice_number int
        invoice_date date
        delivery_number int
        delivery_date date
        valid bool
        date_add date
        date_upd date
        shipping_number text computed
        note text
        id_shop_group id ->shop_groups
        id_shop id ->shops
        secure_key text
        payment text * <=255
        recyclable bool
        gift bool
        gift_message text
        mobile_theme bool
        total_discounts money
        total_discounts_tax_incl money
        total_discounts_tax_excl money
        total_paid money *
        total_paid_tax_incl money
        total_paid_tax_excl money
        total_paid_real money *
        total_products money *
        total_products_wt money *
        total_shipping money
        total_shipping_tax_incl money
        total_shipping_tax_excl money
        carrier_tax_rate rate
        total_wrapping money
        total_wrapping_tax_incl money
        total_wrapping_tax_excl money
        round_mode int
        round_type int
        conversion_rate money *
        reference text <=9
        """,
        Association(
            "order_rows",
            "order_row",
            (
                "id",
                "product_id",
                "product_attribute_id",
                "product_quantity",
                "product_name",
                "product_reference",
                "product_ean13",
                "product_isbn",
                "product_upc",
                "product_price",
                "id_customization",
                "unit_price_tax_incl",
                "unit_price_tax_excl",
            ),
            stored=False,
        ),
        shop="row",
    ),
    _resource(
        "order_details",
        "order_detail",
        """
        id_order id * ->orders
        product_id id ->products
        product_attribute_id id ->combinations
        product_quantity_reinjected int
        group_reduction money
        discount_quantity_applied int
        download_hash text
        download_deadline date
        id_order_invoice id
        id_warehouse id *
        id_shop id * ->shops
        id_customization id
        product_name text *
        product_quantity int *
        product_quantity_in_stock int
        product_quantity_return int
        product_quantity_refunded int
        product_price money *
        reduction_percent money
        reduction_amount money
        reduction_amount_tax_incl money
        reduction_amount_tax_excl money
        product_quantity_discount money
        product_ean13 text
        product_isbn text
        product_upc text
        product_mpn text
        product_reference text
        product_supplier_reference text
        product_weight money
        tax_computation_method int
        id_tax_rules_group id ->tax_rule_groups
        ecotax money
        ecotax_tax_rate rate
        download_nb int
        unit_price_tax_incl money
        unit_price_tax_excl money
        total_price_tax_incl money
        total_price_tax_excl money
        total_shipping_price_tax_excl money
        total_shipping_price_tax_incl money
        purchase_supplier_price money
        original_product_price money
        original_wholesale_price money
        total_refunded_tax_excl money
        total_refunded_tax_incl money
        """,
        Association("taxes", "tax", resource="taxes"),
    ),
    _resource(
        "order_histories",
        "order_history",
        "id_employee id\nid_order_state id * ->order_states\nid_order id * ->orders\ndate_add date",
    ),
    _resource(
        "order_payments",
        "order_payment",
        """
        order_reference text <=9
        id_currency id * ->currencies
        amount money *
        payment_method text
        conversion_rate money
        transaction_id text <=254
        card_number text
        card_brand text
        card_expiration text
        card_holder text
        date_add date
        """,
    ),
    _resource(
        "order_invoices",
        "order_invoice",
        """
        id_order id * ->orders
        number int *
        delivery_number int
        delivery_date date
        total_discount_tax_excl money
        total_discount_tax_incl money
        total_paid_tax_excl money
        total_paid_tax_incl money
        total_products money
        total_products_wt money
        total_shipping_tax_excl money
        total_shipping_tax_incl money
        total_wrapping_tax_excl money
        total_wrapping_tax_incl money
        note text
        date_add date
        """,
    ),
    _resource(
        "order_slip",
        "order_slip",
        """
        id_customer id * ->customers
        id_order id * ->orders
        conversion_rate money *
        total_products_tax_excl money *
        total_products_tax_incl money *
        total_shipping_tax_excl money *
        total_shipping_tax_incl money *
        amount money
        shipping_cost bool
        shipping_cost_amount money
        partial bool
        date_add date
        date_upd date
        order_slip_type int
        """,
        Association(
            "order_slip_details",
            "order_slip_detail",
            ("id", "id_order_detail", "product_quantity", "amount_tax_excl", "amount_tax_incl"),
        ),
    ),
    _resource(
        "order_carriers",
        "order_carrier",
        """
        id_order id * ->orders
        id_carrier id * ->carriers
        id_order_invoice id
        weight money
        shipping_cost_tax_excl money
        shipping_cost_tax_incl money
        tracking_number text
        date_add date
        """,
    ),
    _resource(
        "messages",
        "message",
        """
        id_cart id
        id_order id ->orders
        id_customer id ->customers
        id_employee id
        message text * <=1600
        private bool
        date_add date
        """,
    ),
    _resource(
        "stock_availables",
        "stock_available",
        """
        id_product id * ->products
        id_product_attribute id * ->combinations
        id_shop id ->shops
        id_shop_group id ->shop_groups
        quantity int *
        depends_on_stock bool *
        out_of_stock int *
        location text <=255
        """,
        forbidden=("POST", "DELETE"),
        shop="row",
    ),
    _resource(
        "image_types",
        "image_type",
        """
        name text * <=64
        width int *
        height int *
        categories bool
        products bool
        manufacturers bool
        suppliers bool
        stores bool
        """,
    ),
]

RESOURCES = {one.name: one for one in _DEFINITIONS}

#: addresses with rules of their own
SPECIAL = ("images",)

READ = ("GET", "HEAD")


def hub_rights() -> dict[str, set[str]]:
    """The rights that the sheet asks for the hub's key."""
    rights: dict[str, set[str]] = {name: set(READ) for name in (*RESOURCES, *SPECIAL)}
    rights["stock_availables"] |= {"PUT", "PATCH"}
    rights["order_carriers"] |= {"PUT", "PATCH"}
    rights["order_histories"] |= {"POST"}
    return rights


def pricing_rights() -> dict[str, set[str]]:
    """Those of a merchant who lets the hub own prices."""
    rights = hub_rights()
    for name in ("products", "combinations"):
        rights[name] |= {"PUT", "PATCH"}
    return rights


def read_rights() -> dict[str, set[str]]:
    """A read-only key."""
    return {name: set(READ) for name in (*RESOURCES, *SPECIAL)}


def all_rights() -> dict[str, set[str]]:
    """Everything, as the shop's owner might tick by mistake."""
    return {name: {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} for name in (*RESOURCES, *SPECIAL)}
