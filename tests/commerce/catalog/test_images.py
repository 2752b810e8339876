"""Pictures: kept once, known by their bytes and not by what the sender calls them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from comptoir.commerce.catalog import images
from comptoir.commerce.catalog.errors import BadImage
from comptoir.commerce.catalog.models import Image
from comptoir.commerce.catalog.records import ImageWanted

from .builders import OTHER_SHOP, SHOP, bring_in, listing, page

pytestmark = pytest.mark.django_db

PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + (640).to_bytes(4, "big") + (480).to_bytes(4, "big") + b"\x08\2\0\0\0"


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def test_the_same_picture_twice_is_one_file_and_one_address(media: Path) -> None:
    first, second = images.store_image(PNG, "image/jpeg"), images.store_image(PNG)
    assert first.pk == second.pk
    assert (first.content_type, first.width, first.height, first.size) == ("image/png", 640, 480, len(PNG))
    assert len(first.token) >= 20
    assert first.token not in str(images.path_of(first.sha256))
    files = [path for path in media.rglob("*") if path.is_file()]
    assert files == [media / first.sha256[:2] / first.sha256[2:]]
    assert files[0].read_bytes() == PNG


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>not found</html>",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"GIF8",
        b"RIFF0000WAVE",
        b"%PDF-1.7",
    ],
)
def test_what_is_no_picture_is_refused_whatever_it_is_called(content: bytes, media: Path) -> None:
    with pytest.raises(BadImage):
        images.store_image(content, "image/png")
    assert not Image.objects.exists()
    assert list(media.iterdir()) == []


def test_a_picture_beyond_the_limit_is_refused() -> None:
    with pytest.raises(BadImage) as refusal:
        images.store_image(PNG + b"\0" * images.LARGEST_IMAGE)
    assert refusal.value.facts["limit"] == images.LARGEST_IMAGE


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\xff\xd8\xff\xe0rest", "image/jpeg"),
        (b"GIF89a\1\0\2\0", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
    ],
)
def test_other_kinds_are_known_by_their_first_bytes(content: bytes, kind: str) -> None:
    assert images.store_image(content).content_type == kind


def test_wanted_pictures_are_fetched_until_they_are_here_or_have_failed_too_often() -> None:
    bring_in(page(listing("MUG"), images=(ImageWanted("24/1"), ImageWanted("24/2"))))
    bring_in(page(listing("CUP"), images=(ImageWanted("9/9"),)), channel=OTHER_SHOP)
    (first, ref), (second, _ref) = images.wanted(SHOP)
    assert ref == "24/1"
    images.attach(first, images.store_image(PNG))
    assert [number for number, _ in images.wanted(SHOP)] == [second]
    for _attempt in range(5):
        images.failed([second])
    assert images.wanted(SHOP) == []
