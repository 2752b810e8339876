"""Which addresses are public, and that the judged address is the one that is called."""

from __future__ import annotations

import pytest

from comptoir.channels import addresses


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fc00::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::", False),
    ],
)
def test_what_counts_as_a_public_address(address: str, public: bool) -> None:
    assert addresses.is_public(address) is public


def test_a_target_is_read_as_the_http_client_reads_it() -> None:
    assert addresses.target("HTTPS://Shop.Example/api") == addresses.Target("https", "shop.example", 443)
    assert addresses.target("http://0x7f.1:81/") == addresses.Target("http", "127.0.0.1", 81)
