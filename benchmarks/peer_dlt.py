"""Loads the measured catalogue with dlt, in a Python of its own: `PYTHON benchmarks/peer_dlt.py URL PRODUCTS LISTINGS`.

Prints the seconds and the variants that are in its table afterwards. It merges the same four tables as our import: products,
variants, barcodes and prices.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import dlt


def main() -> None:
    products, listings = int(sys.argv[2]), int(sys.argv[3])
    url = sys.argv[1].replace("@/", "@localhost/")  # dlt wants a host, libpq takes the socket's folder behind the ?

    @dlt.resource(name="product", primary_key="number", write_disposition="merge")
    def catalogue() -> Iterator[list[dict[str, Any]]]:
        for start in range(0, products, 500):
            yield [_product(number, listings) for number in range(start, min(start + 500, products))]

    with tempfile.TemporaryDirectory() as folder:
        pipeline = dlt.pipeline(
            "measured", pipelines_dir=folder, destination=dlt.destinations.postgres(url), dataset_name="measured_dlt"
        )
        begun = time.perf_counter()
        pipeline.run(catalogue())
        took = time.perf_counter() - begun
        with pipeline.sql_client() as client:
            rows = client.execute_sql("SELECT count(*) FROM product__variants")
            client.drop_dataset()
    sys.stdout.write(json.dumps({"seconds": took, "rows": rows[0][0] if rows else 0}) + "\n")


def _product(number: int, listings: int) -> dict[str, Any]:
    return {
        "number": number,
        "name": f"Product {number}",
        "description": "Sold in four sizes, and described in a sentence or two as shops do.",
        "variants": [
            {
                "sku": f"SKU-{number:07}-{size}",
                "options": json.dumps({"Size": f"{size}"}),
                "weight": Decimal("0.2500"),
                "barcodes": [{"code": f"{number:010}{size:03}"}],
                "prices": [{"list": "measured", "amount": Decimal(number % 997 + 1)}],
            }
            for size in range(listings)
        ],
    }


if __name__ == "__main__":
    main()
