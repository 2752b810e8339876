"""Tables in files that people give us: CSV and XLSX, read as untrusted. Rows keep the number they have in the file."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from comptoir.kit.errors import BadInput
from comptoir.kit.settings import settings

UNPACKED_AT_MOST = 20  # times the size of the file, and never more than the limit below
UNPACKED_LIMIT = 512 * 1024 * 1024
LONGEST_CELL = 10_000  # characters
MOST_FAULTS = 100  # that are told of one file


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number in the file (the head is 1) and its cells by column name, stripped."""

    number: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one cell."""

    row: int
    column: str
    value: str
    text: str


def read(path: Path) -> tuple[list[str], Iterator[Row]]:
    """The columns of a file and its rows; raises BadInput naming place, value and cure."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            begins = file.read(4)
    except OSError as error:
        raise BadInput(
            "the file cannot be read", place=str(path), value=error.strerror or "", cure="check the name"
        ) from error
    if size > settings().max_upload_mb * 1024 * 1024:
        raise BadInput(
            "the file is too large", place=str(path), value=f"{size} bytes",
            cure=f"split it, or raise COMPTOIR_MAX_UPLOAD_MB ({settings().max_upload_mb})",
        )  # fmt: skip
    return _sheet(path) if begins == b"PK\x03\x04" else _text(path)


def _text(path: Path) -> tuple[list[str], Iterator[Row]]:
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", errors="replace")  # what spreadsheets on Windows write
    if "\0" in text:
        raise BadInput("this is no text file", place=str(path), value="a zero byte", cure="save it as CSV or XLSX")
    first = text.partition("\n")[0]
    delimiter = max(",;\t|", key=first.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    return _with_head(path, rows)


def _sheet(path: Path) -> tuple[list[str], Iterator[Row]]:
    from python_calamine import CalamineError, CalamineWorkbook  # only for those who bring a spreadsheet

    _guard_against_bombs(path)
    try:
        sheet = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0)
        rows = sheet.iter_rows()
    except (CalamineError, IndexError) as error:
        raise BadInput(
            "the spreadsheet cannot be read", place=str(path), value=str(error), cure="save it again as XLSX"
        ) from error
    return _with_head(path, ([_shown(cell) for cell in row] for row in rows))


def _guard_against_bombs(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except zipfile.BadZipFile as error:
        raise BadInput(
            "the spreadsheet is damaged", place=str(path), value=str(error), cure="save it again as XLSX"
        ) from error
    allowed = min(max(path.stat().st_size * UNPACKED_AT_MOST, 50 * 1024 * 1024), UNPACKED_LIMIT)
    if unpacked > allowed:
        raise BadInput(
            "the spreadsheet unpacks to more than is believable",
            place=str(path),
            value=f"{unpacked} bytes",
            cure="save it as CSV",
        )


def _shown(cell: object) -> str:
    match cell:
        case float() if cell.is_integer():
            return str(int(cell))
        case float():
            return repr(cell)
        case datetime() | date():
            return cell.isoformat(sep=" ") if isinstance(cell, datetime) else cell.isoformat()
    return str(cell)


def _with_head(path: Path, rows: Iterator[Sequence[str]]) -> tuple[list[str], Iterator[Row]]:
    head = [name.strip() for name in next(rows, [])]
    if not any(head):
        raise BadInput("the file is empty", place=str(path), value="", cure="the first row names the columns")
    doubled = sorted({name for name in head if name and head.count(name) > 1})
    if doubled:
        raise BadInput("two columns have one name", place=f"{path}, row 1", value=doubled[0], cure="rename one of them")
    return head, _rows(head, rows)


def _rows(head: Sequence[str], rows: Iterator[Sequence[str]]) -> Iterator[Row]:
    for number, cells in enumerate(rows, 2):
        if any(cell.strip() for cell in cells):
            yield Row(
                number, {name: cell.strip()[:LONGEST_CELL] for name, cell in zip(head, cells, strict=False) if name}
            )


@dataclass(frozen=True, slots=True)
class Wanted:
    """A field that an import knows: its name, what columns are usually called, and whether it must be there."""

    name: str
    usual: tuple[str, ...] = ()
    required: bool = False


def columns(head: Sequence[str], fields: Sequence[Wanted], given: Mapping[str, str]) -> dict[str, str]:
    """Which column holds which field: as given, else by its usual names; raises BadInput for what is missing."""
    known = {field.name for field in fields}
    by_lower = {name.lower().replace(" ", "").replace("_", ""): name for name in head}
    for field_name, column in given.items():
        if field_name not in known:
            raise BadInput("no such field", place="--map", value=field_name, cure=", ".join(sorted(known)))
        if column not in head:
            raise BadInput("no such column", place="--map", value=column, cure=", ".join(head))
    found = dict(given)
    for field in fields:
        for usual in (field.name, *field.usual):
            column = by_lower.get(usual.lower().replace(" ", "").replace("_", ""), "")
            if field.name not in found and column:
                found[field.name] = column
        if field.required and field.name not in found:
            raise BadInput(
                f"no column holds the {field.name}",
                place="row 1",
                value=", ".join(head),
                cure=f"--map {field.name}=COLUMN",
            )
    return found
