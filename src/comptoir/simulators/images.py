"""Small real PNG pictures made in code, so that no picture file is committed."""

from __future__ import annotations

import struct
import zlib


def png(seed: int, width: int = 32, height: int = 32) -> bytes:
    """A picture of two colours that depend on the seed; the same seed gives the same bytes."""
    mixed = zlib.crc32(seed.to_bytes(8, "big"))
    first = bytes(((mixed >> shift) & 0xFF) for shift in (0, 8, 16))
    second = bytes(255 - part for part in first)
    band = max(1, width // (2 + mixed % 5))
    rows = []
    for line in range(height):
        row = b"".join(first if (column + line) // band % 2 == 0 else second for column in range(width))
        rows.append(b"\x00" + row)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
            _chunk(b"IDAT", zlib.compress(b"".join(rows), 6)),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
