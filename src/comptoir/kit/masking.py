"""Takes what is personal or secret out of texts and trees, so that equal values stay equal and what is left can be shown.

A shop may put anything anywhere, so a value stays only where its name and its shape both say that it is harmless: ids,
amounts, dates, states, references. All else becomes a token made with the hub's own key. What was masked once is
masked wherever it turns up again.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit
from xml.etree.ElementTree import Element, ParseError, tostring

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


#: Words of a field's name that say it is about a person, whatever it holds.
PERSONAL = _set(
    "firstname lastname surname forename name fullname first last middle nick alias mail email phone mobile tel telephone"
    " fax address addresses street house city town zip zipcode postcode postal company vat siret siren ape dni nif nie cif"
    " cpf iban bic card holder note notes message messages comment comments gift birthday birth age gender ip login user"
    " username customer buyer recipient contact person pickup pickup_point website instructions signature tracking"
    " billing shipping other"
)
#: Words that say it lets somebody in.
SECRET = _set(
    "password passwd pwd secret token key apikey authorization cookie session credential credentials sealed passphrase"
    " hash secure_key nonce otp pin"
)
#: Words of names whose values are needed to understand a run, and whose shape is checked all the same.
PLAIN = _set(
    "id ids sku reference ref ean ean8 ean13 upc gtin isbn mpn barcode barcodes status state meaning currency date at upd"
    " add quantity price total amount tax rate kind type method code listing module severity outcome trigger mode health"
    " version lane field external_id number iso position active available valid paid count level told old new selling"
    " point carrier ability problem page order run flow channel attempt seen created changed unchanged skipped parked"
    " failed read write bytes seconds status_name url path resource where error timezone locale language theme rounding"
    " unit lang shop figure"
)
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+\d*|\d+")
_CODE = re.compile(r"[\w.#/:+\-]{1,64}")
_NUMBER = re.compile(r"[+-]?\d{1,9}\.\d{1,9}|[+-]?\d{1,4}")
_ID = re.compile(r"\d{1,20}(?:-\d{1,20})?")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?")
_MAIL = re.compile(r"[^\s<>\"'=,;()\[\]|]+@[^\s<>\"'=,;()\[\]|]+")
_LONG_NUMBER = re.compile(r"\+?\d(?:[\s().\-/]?\d){7,}")
_QUOTED = re.compile(r"“[^”]*”|«[^»]*»|\"[^\"]*\"|'[^']*'|‘[^’]*’")
_LETTERS = re.compile(r"\w{3,}")

HIDDEN = "[secret]"


class Masker:
    """Masks with one key. Look at everything first (`learn`), then write: what is masked anywhere is masked everywhere."""

    def __init__(self, key: str, *, secrets: Iterable[str] = ()) -> None:
        self._key = hashlib.sha256(f"mask:{key}".encode()).digest()
        self._secrets = sorted({one for one in secrets if len(one) >= 4}, key=len, reverse=True)
        self._known: dict[str, str] = {}  # folded value -> token
        self._words: set[str] = set()

    def token(self, value: str) -> str:
        """What stands for a value; the same for the same value, whatever its case and outer blanks."""
        folded = value.strip().casefold()
        if not folded:
            return value
        known = self._known.get(folded)
        if known is None:
            known = f"masked-{hmac.new(self._key, folded.encode(), hashlib.sha256).hexdigest()[:10]}"
            self._known[folded] = known
            self._words.update(word for word in _LETTERS.findall(folded) if not word.isdigit() or len(word) > 4)
        return known

    # -- values ----------------------------------------------------------------------------------------------------

    def leaf(self, names: Sequence[str], value: Any) -> Any:
        """A value under these names, the innermost last: itself, or what stands for it."""
        if value is None or isinstance(value, bool):
            return value
        words = [word for name in names[-3:] for word in _split(name)]
        own = set(_split(names[-1])) | {names[-1].lower()} if names else set()
        text = str(value)
        if not text.strip():
            return value
        if own & SECRET:
            return HIDDEN
        if "id" in own and _ID.fullmatch(text):
            return value
        if _MOMENT.fullmatch(text) and "birth" not in own and "birthday" not in own:
            return value
        if PERSONAL & {*words, *(name.lower() for name in names[-3:])}:
            return self.token(text)
        if _NUMBER.fullmatch(text):
            return value
        if own & PLAIN and _CODE.fullmatch(text) and not _MAIL.search(text):
            return value
        return self.token(text)

    def _again(self, names: Sequence[str], value: Any) -> Any:
        """The same once everything is known: what was masked elsewhere is masked here, too."""
        masked = self.leaf(names, value)
        if masked is not value or not isinstance(value, str):
            return masked
        folded = value.strip().casefold()
        if folded in self._known:
            return self._known[folded]
        if any(secret in value for secret in self._secrets):
            return HIDDEN
        if not _MOMENT.fullmatch(value) and not self._words.isdisjoint(_LETTERS.findall(folded)):
            return self.token(value)
        return value

    # -- trees -----------------------------------------------------------------------------------------------------

    def learn(self, content: Any, names: tuple[str, ...] = ()) -> None:
        """Look at every value of a tree, an element, or the body of a message."""
        if isinstance(content, bytes):
            content = parsed(content)
        if isinstance(content, Element):
            for name, text in content.attrib.items():
                self.leaf((*names, content.tag, name), text)
            if content.text and content.text.strip():
                self.leaf((*names, content.tag), content.text)
            for child in content:
                self.learn(child, (*names, content.tag))
        elif isinstance(content, Mapping):
            for name, value in content.items():
                self.learn(value, (*names, str(name)))
        elif isinstance(content, list | tuple):
            for value in content:
                self.learn(value, names)
        else:
            self.leaf(names, content)

    def tree(self, content: Any, names: tuple[str, ...] = ()) -> Any:
        """A tree of plain values without what is personal or secret."""
        if isinstance(content, Mapping):
            return {self._name(name): self.tree(value, (*names, str(name))) for name, value in content.items()}
        if isinstance(content, list | tuple):
            return [self.tree(value, names) for value in content]
        return self._again(names, content)

    def _name(self, name: Any) -> str:
        """Names may be values in disguise: a tree by e-mail address."""
        text = str(name)
        return text if _CODE.fullmatch(text) and not self._is_known(text) else self.token(text)

    def _is_known(self, text: str) -> bool:
        return text.strip().casefold() in self._known or any(secret in text for secret in self._secrets)

    def body(self, content: bytes) -> bytes | None:
        """The body of a message, masked; None where it is neither XML nor JSON, and nothing can be said of its values."""
        found = parsed(content)
        if found is None:
            return None
        if isinstance(found, Element):
            self._element(found, ())
            written: bytes = tostring(found, encoding="utf-8")
            return written
        return json.dumps(self.tree(found), ensure_ascii=False, indent=1, default=str).encode()

    def _element(self, element: Element, names: tuple[str, ...]) -> None:
        names = (*names, element.tag)
        for name, text in element.attrib.items():
            element.set(name, self.url(text) if "://" in text else str(self._again((*names, name), text)))
        if element.text and element.text.strip():
            text = element.text
            element.text = self.url(text) if "://" in text else str(self._again(names, text))
        if element.tail and element.tail.strip():
            element.tail = self.token(element.tail)
        for child in element:
            self._element(child, names)

    # -- texts -----------------------------------------------------------------------------------------------------

    def url(self, text: str) -> str:
        """An address: its path as it is but for what is known, each value of its query by its name."""
        parts = urlsplit(text.strip())
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
        path = "/".join(quote(self._segment(piece)) for piece in parts.path.split("/"))
        query = "&".join(
            f"{self._name(name)}={self._again((name,), value)}"
            for name, value in parse_qsl(parts.query, keep_blank_values=True)
        )
        start = f"{parts.scheme}://{host}{port}" if parts.scheme else ""
        return f"{start}{path}{'?' if query else ''}{query}"

    def _segment(self, piece: str) -> str:
        if _MAIL.search(piece) or len(piece) > 64:
            return self.token(piece)
        return self.text(piece) if piece else piece

    def text(self, text: str) -> str:
        """A sentence of ours: whatever it quotes, addresses of mail, long numbers, and what is known are masked in it."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        text = _QUOTED.sub(lambda found: found[0][0] + self.token(found[0][1:-1]) + found[0][-1], text)
        text = _MAIL.sub(lambda found: self.token(found[0]), text)
        text = _LONG_NUMBER.sub(lambda found: self.token(found[0]), text)
        folded = text.casefold()
        for value, token in self._known.items():
            if len(value) >= 3 and value in folded:
                text = re.sub(re.escape(value), token, text, flags=re.IGNORECASE)
                folded = text.casefold()
        return text


def parsed(content: bytes) -> Any:
    """A body as a tree: an XML element, plain values of JSON, or None."""
    start = content.lstrip()[:1]
    if start == b"<":
        try:
            return fromstring(content)
        except (ParseError, DefusedXmlException, ValueError, LookupError):
            return None
    if start in (b"{", b"["):
        try:
            return json.loads(content)
        except ValueError:
            return None
    return None


def _split(name: str) -> list[str]:
    """The words of a name: firstName, first_name and FIRST-NAME alike."""
    return [word.lower() for word in _WORDS.findall(name.rpartition("}")[2])]
