"""Pictures, kept once by content under addresses that nobody can guess; what a file is, is read from its first bytes.

Nothing is ever decoded here, so a picture that unpacks to gigabytes costs no more than its bytes.
"""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

from django.conf import settings

from comptoir.commerce.catalog.errors import BadImage
from comptoir.commerce.catalog.models import Image
from comptoir.kit import files, ids, sql

LARGEST_IMAGE = 20 * 1024 * 1024  # bytes
EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp"}


def store_image(content: bytes, content_type: str = "") -> Image:
    """Keep a picture; the same bytes again give the same one. What the sender calls it counts for nothing: the first bytes
    say what it is, and anything but PNG, JPEG, GIF and WebP is refused."""
    if len(content) > LARGEST_IMAGE:
        raise BadImage(
            f"a picture has at most {LARGEST_IMAGE} bytes, this one {len(content)}",
            place="image",
            value=content_type,
            cure="make it smaller",
            size=len(content),
            limit=LARGEST_IMAGE,
        )
    found = sniff(content)
    if found is None:
        raise BadImage(
            "this is no PNG, JPEG, GIF or WebP",
            place="image",
            value=content_type,
            cure="save it as one of them",
            content_type=content_type,
        )
    sha256 = hashlib.sha256(content).hexdigest()
    path = path_of(sha256)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.whole(path) as file:  # before the row: a row without its file would be a broken picture
            file.write(content)
    width, height = measure(content, found)
    sql.execute(
        "INSERT INTO catalog_image (sha256, token, content_type, size, width, height) VALUES (%s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (sha256) DO NOTHING",
        [sha256, ids.token(), found, len(content), width, height],
    )
    return Image.objects.get(sha256=sha256)


def attach(product_image: int, image: Image) -> None:
    """A wanted picture has been fetched."""
    sql.execute("UPDATE catalog_productimage SET image_id = %s WHERE id = %s", [image.pk, product_image])


def wanted(channel: int, after: int = 0, *, most_attempts: int = 5, size: int = 100) -> list[tuple[int, str]]:
    """(id, ref) of pictures of a channel still to be fetched, those that failed too often left out."""
    prefix = f"{channel}:"
    return [
        (number, source.removeprefix(prefix))
        for number, source in sql.rows(
            "SELECT id, source FROM catalog_productimage"
            " WHERE image_id IS NULL AND id > %s AND attempts < %s AND starts_with(source, %s) ORDER BY id LIMIT %s",
            [after, most_attempts, prefix, size],
        )
    ]


def failed(product_images: list[int]) -> None:
    """These could not be fetched this time."""
    sql.execute("UPDATE catalog_productimage SET attempts = attempts + 1 WHERE id = ANY (%s)", [product_images])


def path_of(sha256: str) -> Path:
    """Where the file of this content is."""
    return Path(settings.MEDIA_ROOT) / sha256[:2] / sha256[2:]


def sniff(content: bytes) -> str | None:
    """The content type by the first bytes; None for anything that is not a picture browsers show."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    return None


def measure(content: bytes, content_type: str) -> tuple[int | None, int | None]:
    """Width and height where the header says so plainly (PNG and GIF); feeds want them, nobody depends on them."""
    if content_type == "image/png" and len(content) >= 24:
        width, height = struct.unpack(">II", content[16:24])
    elif content_type == "image/gif" and len(content) >= 10:
        width, height = struct.unpack("<HH", content[6:10])
    else:
        return None, None
    return (width, height) if 0 < width < 2**31 and 0 < height < 2**31 else (None, None)
