"""What is masked: equal values stay equal, what is needed to understand a run stays, and what was a name once is one
everywhere."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comptoir.kit.masking import HIDDEN, Masker

NAMES = st.sampled_from(
    ["firstname", "lastName", "e-mail", "PHONE", "delivery_address1", "custom_7", "comment", "field", "x", "value"]
)
#: What people write about themselves: never a bare short number or a code alone, which would say nothing about anybody.
_WORD = st.text(alphabet="abcdefghijklmnopqrstuvwxyzÀÉßŁЖ漢'-@.", min_size=2, max_size=12)
WORDS = st.tuples(_WORD, _WORD).map(" ".join)


@pytest.fixture
def masker() -> Masker:
    return Masker("key", secrets=["hush-hush"])


@pytest.mark.parametrize(
    ("names", "value"),
    [
        (("order", "id_customer"), "17"), (("order", "reference"), "XKBKNABJK"), (("order", "total_paid"), "1234.560000"),
        (("product", "ean13"), "4006381333931"), (("order", "date_add"), "2026-03-02 10:11:12"), (("order", "valid"), "1"),
        (("order", "current_state"), "2"), (("line", "sku"), "SHIRT-0001"), (("order", "id_currency"), "1"),
        (("customer", "id"), 9), (("x",), True), (("x",), None), (("x",), ""),
    ],
)  # fmt: skip
def test_what_says_nothing_about_anybody_stays(masker: Masker, names: tuple[str, ...], value: object) -> None:
    assert masker.tree(value, names) == value


@pytest.mark.parametrize(
    ("names", "value"),
    [
        (("customer", "firstname"), "Jane"), (("address", "phone"), "0612345678"), (("address", "phone_mobile"), 33612345678),
        (("address", "postcode"), "75011"), (("order", "reference"), "jane@example.test"), (("x", "custom"), "0612345678"),
        (("order", "sku"), "a name with blanks"), (("billing", "state"), "California"), (("customer", "birthday"), "1980-02-03"),
        (("order", "gift_message"), "Happy birthday"), (("order", "free"), "anything at all"), (("customer", "ip"), "10.1.2.3"),
    ],
)  # fmt: skip
def test_what_may_be_about_somebody_goes(masker: Masker, names: tuple[str, ...], value: object) -> None:
    masked = masker.tree(value, names)
    assert str(masked).startswith("masked-")
    assert masker.tree(value, names) == masked
    assert Masker("another key").tree(value, names) != masked


def test_what_lets_somebody_in_is_hidden_and_not_even_compared(masker: Masker) -> None:
    assert masker.tree({"api_key": "k1", "password": "p", "nested": {"accessToken": "t"}}) == {
        "api_key": HIDDEN, "password": HIDDEN, "nested": {"accessToken": HIDDEN},
    }  # fmt: skip
    assert masker.tree({"reference": "xhush-hushx"})["reference"] == HIDDEN
    assert "hush-hush" not in masker.text("it said hush-hush")
    assert "hush-hush" not in masker.url("https://u:hush-hush@shop.test/a?b=hush-hush")


def test_a_name_is_a_name_wherever_it_turns_up(masker: Masker) -> None:
    masker.learn({"customer": {"firstname": "Wilhelmina", "lastname": "van Oost"}})
    token = masker.token("Wilhelmina")
    assert masker.tree({"reference": "wilhelmina"}) == {"reference": token}
    assert masker.text("the sale of WILHELMINA is broken") == f"the sale of {token} is broken"
    assert masker.url("http://shop.test/customers/Wilhelmina?filter[name]=[Wilhelmina]&limit=5").endswith("&limit=5")
    assert "ilhelmina" not in masker.url("http://shop.test/customers/Wilhelmina?filter[name]=[Wilhelmina]&limit=5")
    body = masker.body(b"<order><reference>Wilhelmina</reference><id>5</id></order>")
    assert body == f"<order><reference>{token}</reference><id>5</id></order>".encode()


def test_a_tree_by_name_does_not_keep_the_names(masker: Masker) -> None:
    masker.learn({"email": "a@b.test"})
    assert "a@b.test" not in json.dumps(masker.tree({"by": {"a@b.test": {"id": 1}}}))


@pytest.mark.parametrize(
    "content", [b"", b"plain", b"<a>", b"{", b'<!DOCTYPE x [<!ENTITY e "v">]><x>&e;</x>', b"\xff\xfe", b"<a>\x00</a>"]
)
def test_what_cannot_be_read_is_left_out(masker: Masker, content: bytes) -> None:
    masker.learn(content)
    assert masker.body(content) is None


@settings(max_examples=60, deadline=None)
@given(fields=st.lists(st.tuples(NAMES, WORDS), min_size=1, max_size=6))
def test_nothing_that_people_write_comes_through_a_json_body(fields: list[tuple[str, str]]) -> None:
    masker = Masker("key")
    content = json.dumps({"order": [{name: value} for name, value in fields], "id": 7}).encode()
    masker.learn(content)
    body = masker.body(content)
    assert body is not None
    shown = json.loads(body)
    assert shown["id"] == 7
    values = [value for one in shown["order"] for value in one.values()]
    assert all(str(value).startswith("masked-") for value in values)
    same = {value.strip().casefold() for _name, value in fields}
    assert len(set(values)) == len(same)
