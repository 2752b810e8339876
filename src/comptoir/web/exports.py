"""Rows of the database as a file: CSV written by PostgreSQL, with cells that a spreadsheet would run made harmless."""

from __future__ import annotations

from typing import Any, LiteralString

from django.http import HttpResponse
from psycopg import Cursor

from comptoir.kit import spreadsheets, sql

MARK = "﻿".encode()  # without it spreadsheets take the file for another encoding

cell = spreadsheets.column  # a text column as it may stand in a file


def csv(name: str, query: LiteralString, params: list[Any]) -> HttpResponse:
    """What a query gives, as a file to download."""
    with (
        Cursor(sql.raw()) as cursor,
        cursor.copy(f"COPY ({query}) TO STDOUT WITH (FORMAT csv, HEADER)", params) as copy,
    ):
        content = b"".join(bytes(piece) for piece in copy)
    return download(name, MARK + content, "text/csv; charset=utf-8")


def download(name: str, content: bytes, kind: str) -> HttpResponse:
    """A file under a name of ours."""
    answer = HttpResponse(content, content_type=kind)
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    answer["Cache-Control"] = "private, no-store"
    return answer
