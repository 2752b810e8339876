"""Writes the service's answers: objects, lists, errors, schemas, as XML or as JSON with its traps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from comptoir.connectors.prestashop.simulator.resources import Association, Resource

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<prestashop xmlns:xlink="http://www.w3.org/1999/xlink">\n'
FOOT = "</prestashop>\n"

Texts = dict[int, str]
Part = dict[str, Any]


@dataclass
class Item:
    """One object ready to be written: values by field (a dict where multilingual) and its associations."""

    id: int
    values: dict[str, Any]
    associations: dict[str, list[Part]]


def cdata(value: Any) -> str:
    """A value as character data; an empty one leaves the element empty."""
    text = str(value)
    if "]]>" in text:
        text = text.replace("]]>", "]]]]><![CDATA[>")
    return f"<![CDATA[{text}]]>" if text else ""


@dataclass
class Writer:
    """Writes for one address and one choice of languages."""

    base: str  #: ends with /api/
    languages: Sequence[int]
    as_json: bool = False

    @property
    def content_type(self) -> str:
        """Of every answer with a body."""
        return "application/json" if self.as_json else "text/xml;charset=utf-8"

    def errors(self, problems: Sequence[tuple[int, str]]) -> bytes:
        """An error answer."""
        if self.as_json:
            return _json({"errors": [{"code": code, "message": message} for code, message in problems]})
        written = "".join(
            f"<error>\n<code>{cdata(code)}</code>\n<message>{cdata(message)}</message>\n</error>\n"
            for code, message in problems
        )
        return f"{HEAD}<errors>\n{written}</errors>\n{FOOT}".encode()

    def ids(self, resource: Resource, ids: Sequence[int]) -> bytes:
        """A list of ids alone."""
        if self.as_json:
            return _json({resource.name: [{"id": one} for one in ids]} if ids else [])
        address = f"{self.base}{resource.name}/"
        written = "".join(f'<{resource.node} id="{one}" xlink:href="{address}{one}"/>\n' for one in ids)
        return f"{HEAD}<{resource.name}>\n{written}</{resource.name}>\n{FOOT}".encode()

    def listing(self, resource: Resource, items: Sequence[Item], wanted: list[str]) -> bytes:
        """A list of objects with some or all fields."""
        if self.as_json:
            return _json({resource.name: [self._plain(resource, one, wanted) for one in items]} if items else [])
        shown = self._shown(resource, wanted)
        written = "".join(self._object(resource, one, wanted, shown) for one in items)
        return f"{HEAD}<{resource.name}>\n{written}</{resource.name}>\n{FOOT}".encode()

    def objects(self, resource: Resource, items: Sequence[Item], wanted: list[str]) -> bytes:
        """One object by its id, or the objects just written."""
        if self.as_json:
            # Falsy values are dropped from single objects, so that active=0 and quantity=0 vanish (seen in 8.2 and 9.0).
            made = {name: value for one in items for name, value in self._plain(resource, one, wanted).items()}
            return _json(
                {resource.node: {name: value for name, value in made.items() if value not in ("", "0", 0, None, [])}}
            )
        shown = self._shown(resource, wanted)
        return f"{HEAD}{''.join(self._object(resource, one, wanted, shown) for one in items)}{FOOT}".encode()

    def granted(self, shop_name: str, rights: dict[str, set[str]]) -> bytes:
        """The list of resources that a key may use."""
        methods = ("GET", "PUT", "POST", "PATCH", "DELETE", "HEAD")
        if self.as_json:
            return _json(sorted(rights))
        written = "".join(
            f'<{name} xlink:href="{self.base}{name}" '
            + " ".join(f'{method.lower()}="{"true" if method in allowed else "false"}"' for method in methods)
            + f'>\n<description xlink:href="{self.base}{name}" get="true">{cdata(name.replace("_", " "))}</description>\n'
            f'<schema xlink:href="{self.base}{name}?schema=blank" type="blank"/>\n'
            f'<schema xlink:href="{self.base}{name}?schema=synopsis" type="synopsis"/>\n</{name}>\n'
            for name, allowed in sorted(rights.items())
        )
        shop = shop_name.replace("&", "&amp;").replace('"', "&quot;")
        return f'{HEAD}<api shopName="{shop}">\n{written}</api>\n{FOOT}'.encode()

    def schema(self, resource: Resource, kind: str) -> bytes:
        """An empty form (`blank`) or the list of fields with types (`synopsis`)."""
        formats = {
            "id": "isUnsignedId",
            "int": "isInt",
            "bool": "isBool",
            "money": "isPrice",
            "rate": "isFloat",
            "date": "isDate",
            "text": "isString",
        }
        parts = [f"<{resource.node}>\n"]
        if kind == "blank":
            parts.append("<id></id>\n")
        for one in resource.shown:
            details = ""
            if kind == "synopsis":
                details = f' required="{"true" if one.required else "false"}"' if one.required else ""
                details += f' maxSize="{one.size}"' if one.size else ""
                details += f' format="{formats[one.kind]}"'
                details += ' read_only="true"' if one.fixed else ""
                details += ' notFilterable="true"' if one.computed else ""
            inner = ""
            if one.many:
                inner = "".join(f'<language id="{language}"></language>' for language in self.languages)
            parts.append(f"<{one.name}{details}>{inner}</{one.name}>\n")
        if resource.associations:
            parts.append("<associations>\n")
            for association in resource.associations:
                fields = "".join(f"<{name}></{name}>\n" for name in association.fields)
                parts.append(
                    f"<{association.name}>\n<{association.node}>\n{fields}</{association.node}>\n</{association.name}>\n"
                )
            parts.append("</associations>\n")
        parts.append(f"</{resource.node}>\n")
        return f"{HEAD}{''.join(parts)}{FOOT}".encode()

    def raw(self, inner: str) -> bytes:
        """An answer of a resource with rules of its own."""
        return f"{HEAD}{inner}{FOOT}".encode()

    def _shown(self, resource: Resource, wanted: list[str]) -> list[tuple[str, bool, str, str]]:
        """The fields of a listing's objects: name, multilingual, start of the tag, end of it. The same for each object."""
        plan = []
        for one in resource.shown:
            if wanted != ["*"] and one.name not in wanted:
                continue
            link = f' xlink:href="{self.base}{one.link}/' if one.link else ""
            plan.append((one.name, one.many, f"<{one.name}{link}", ' notFilterable="true"' if one.computed else ""))
        return plan

    def _object(
        self, resource: Resource, item: Item, wanted: list[str], shown: list[tuple[str, bool, str, str]]
    ) -> str:
        full = wanted == ["*"]
        parts = [f"<{resource.node}>\n"]
        if full or "id" in wanted:
            parts.append(f"<id><![CDATA[{item.id}]]></id>\n")
        values = item.values
        for name, many, start, end in shown:
            value = values[name]
            if many:
                languages = "".join(
                    f'<language id="{language}" xlink:href="{self.base}languages/{language}">'
                    f"{cdata(value.get(language, ''))}</language>"
                    for language in self.languages
                )
                parts.append(f"<{name}>{languages}</{name}>\n")
            elif value == "":
                parts.append(f"<{name}></{name}>\n")
            elif start.endswith("/"):
                parts.append(f'{start}{value}"{end}>{cdata(value)}</{name}>\n')
            else:
                parts.append(f"{start}{end}>{cdata(value)}</{name}>\n")
        for name, value in item.values.items():
            if name not in resource.by_name:  # prices asked for by name
                parts.append(f"<{name}>{cdata(value)}</{name}>\n")
        chosen = [one for one in resource.associations if full or f"associations.{one.name}" in wanted]
        if chosen:
            parts.append("<associations>\n")
            for association in chosen:
                elements = item.associations.get(association.name, [])
                kind = f' nodeType="{association.node}" api="{association.resource or association.name}"'
                if not elements:
                    parts.append(f"<{association.name}{kind}/>\n")
                    continue
                parts.append(f"<{association.name}{kind}>\n")
                for element in elements:
                    inner = "".join(f"<{key}>{cdata(part)}</{key}>\n" for key, part in element.items())
                    parts.append(f"<{association.node}{self._link(association, item.id, element)}>\n{inner}")
                    parts.append(f"</{association.node}>\n")
                parts.append(f"</{association.name}>\n")
            parts.append("</associations>\n")
        parts.append(f"</{resource.node}>\n")
        return "".join(parts)

    def _link(self, association: Association, owner: int, element: Part) -> str:
        if not association.resource:
            return ""
        under = f"images/products/{owner}" if association.resource == "images" else association.resource
        return f' xlink:href="{self.base}{under}/{element["id"]}"'

    def _plain(self, resource: Resource, item: Item, wanted: list[str]) -> dict[str, Any]:
        full = wanted == ["*"]
        made: dict[str, Any] = {}
        if full or "id" in wanted:
            made["id"] = item.id
        for name, value in item.values.items():
            known = resource.by_name.get(name)
            if known is not None and not full and name not in wanted:
                continue
            if known is not None and known.many:
                texts = [{"id": str(language), "value": value.get(language, "")} for language in self.languages]
                made[name] = texts[0]["value"] if len(texts) == 1 else texts
            else:
                made[name] = str(value)
        associations = {
            one.name: [{key: str(part) for key, part in element.items()} for element in item.associations[one.name]]
            for one in resource.associations
            if item.associations.get(one.name) and (full or f"associations.{one.name}" in wanted)
        }
        if associations:
            made["associations"] = associations
        return made


def _json(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode()
