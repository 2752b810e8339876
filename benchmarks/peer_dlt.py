"""Loads the measured catalogue with dlt, in a Python of its own: `PYTHON benchmarks/peer_dlt.py URL PRODUCTS LISTINGS`.

Prints the seconds and the rows that are in its table afterwards. It merges by SKU, as a catalogue must.
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

    @dlt.resource(name="variant", primary_key="sku", write_disposition="merge")
    def variants() -> Iterator[list[dict[str, Any]]]:
        for start in range(0, products, 500):
            yield [
                {
                    "product": number,
                    "name": f"Product {number}",
                    "description": "Sold in four sizes, and described in a sentence or two as shops do.",
                    "sku": f"SKU-{number:07}-{size}",
                    "options": json.dumps({"Size": f"{size}"}),
                    "barcode": f"{number:010}{size:03}",
                    "amount": Decimal(number % 997 + 1),
                    "weight": Decimal("0.2500"),
                }
                for number in range(start, min(start + 500, products))
                for size in range(listings)
            ]

    with tempfile.TemporaryDirectory() as folder:
        pipeline = dlt.pipeline(
            "measured", pipelines_dir=folder, destination=dlt.destinations.postgres(url), dataset_name="measured_dlt"
        )
        begun = time.perf_counter()
        pipeline.run(variants())
        took = time.perf_counter() - begun
        with pipeline.sql_client() as client:
            rows = client.execute_sql("SELECT count(*) FROM variant")
            client.drop_dataset()
    sys.stdout.write(json.dumps({"seconds": took, "rows": rows[0][0] if rows else 0}) + "\n")


if __name__ == "__main__":
    main()
