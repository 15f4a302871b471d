"""Encodings, delimiters, column names and torn records."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.connectors import importers
from rapport.connectors.csv import mapping, text
from rapport.connectors.csv.fields import FIELDS
from rapport.connectors.csv.records import Records
from rapport.kit.errors import InvalidInputError


@pytest.mark.parametrize(
    ("encoding", "found"),
    [
        ("utf-8", "utf-8-sig"),
        ("utf-8-sig", "utf-8-sig"),
        ("cp1252", "cp1252"),
        ("latin-1", "cp1252"),
        ("utf-16", "utf-16"),
    ],
)
def test_encoding(tmp_path: Path, encoding: str, found: str) -> None:
    path = tmp_path / "file.csv"
    # The telling letter may come late in a large file.
    path.write_text("sku,price,name\n" + "A,1,b\n" * 300_000 + "B,2,blåbær", encoding)
    assert text.detect_encoding(path) == found


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter(delimiter: str) -> None:
    rows = [["no", "text", "price"], ["1", '"a, b; c"', '"1,50"'], ["2", "d e", '"2,50"']]
    assert text.detect_delimiter("\n".join(delimiter.join(row) for row in rows)) == delimiter


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04 and so on", "Excel"),
        (b"\x00\x01\x02\x03binary", "no text file"),
        (b"\n\n\n", "no readable line"),
        (b"a,b,c\n1,2,3\n", "Cannot tell which column is: order; date; price; sku or description"),
    ],
)
def test_a_broken_file_gives_one_clear_error(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=said):
        importers.plan("orders", path)


def test_no_file(tmp_path: Path) -> None:
    for kind in ("orders", "customers"):
        with pytest.raises(InvalidInputError, match="Cannot read"):
            importers.plan(kind, tmp_path / "none.csv")
    with pytest.raises(InvalidInputError, match="Cannot read"):
        importers.plan("orders", tmp_path)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country",
            (
                "InvoiceNo",
                "InvoiceDate",
                "StockCode",
                "Description",
                "Quantity",
                "UnitPrice",
                "CustomerID",
                "Country",
            ),
        ),
        (
            "Ordrenummer;Dato;Varenummer;Varenavn;Antall;Enhetspris;Kundenr;Land",
            ("Ordrenummer", "Dato", "Varenummer", "Varenavn", "Antall", "Enhetspris", "Kundenr", "Land"),
        ),
        (
            "Número de pedido;Fecha;Código;Descripción;Cantidad;Precio unitario;ID cliente;País",
            (
                "Número de pedido",
                "Fecha",
                "Código",
                "Descripción",
                "Cantidad",
                "Precio unitario",
                "ID cliente",
                "País",
            ),
        ),
        (
            "Număr comandă\tData\tCod produs\tDenumire\tCantitate\tPreț unitar\tCod client\tȚara",
            (
                "Număr comandă",
                "Data",
                "Cod produs",
                "Denumire",
                "Cantitate",
                "Preț unitar",
                "Cod client",
                "Țara",
            ),
        ),
        (
            "order_id,created_at,sku,item_name,qty,price,customer_id,country_code",
            ("order_id", "created_at", "sku", "item_name", "qty", "price", "customer_id", "country_code"),
        ),
    ],
)
def test_columns_in_many_languages(tmp_path: Path, header: str, expected: tuple[str, ...]) -> None:
    path = tmp_path / "file.csv"
    path.write_text(header + "\n", "utf-8")
    plan = importers.plan("orders", path)
    fields = ("order", "date", "sku", "description", "quantity", "price", "customer", "country")
    assert {field: plan.mapping[field] for field in fields} == dict(zip(fields, expected, strict=True))


def test_overrides(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_text("ref,when,what,each,Price\n1,2024-01-02,x,3,4\n", "utf-8")
    plan = importers.plan(
        "orders", path, {"order": "ref", "date": "2", "description": "WHAT", "price": "each", "decimal": ","}
    )
    assert plan.columns == {"order": 0, "date": 1, "description": 2, "price": 3}
    assert "decimal comma" in plan.describe()
    for wrong, said in (
        ({"orders": "ref"}, "no field 'orders'"),
        ({"order": "nothing"}, "no column 'nothing'"),
        ({"date_order": "xyz"}, "date order"),
        ({"decimal": "x"}, "decimal sign"),
        ({"delimiter": "ab"}, "single character"),
        ({"encoding": "klingon"}, "cannot be read as klingon"),
    ):
        given = {"order": "ref", "date": "when", "description": "what", "price": "each"} | wrong
        with pytest.raises(InvalidInputError, match=said):
            importers.plan("orders", path, given)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"currency": "KRONER"}, "no currency"),
        ({"source": "x" * 61}, "source"),
    ],
)
def test_wrong_options(tmp_path: Path, options: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        importers.plan("orders", tmp_path / "file.csv", **options)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="Cannot import"):
        importers.plan("sofas", tmp_path / "file.csv")


def test_every_known_header_is_written_folded() -> None:
    for kind, fields in FIELDS.items():
        for field in fields:
            for name in field.names:
                assert mapping.fold_header(name) == name, (kind, field.name, name)


@given(st.lists(st.text(max_size=20), min_size=1, max_size=12), st.sampled_from(sorted(FIELDS)))
def test_any_header_is_mapped_or_refused(header: list[str], kind: str) -> None:
    try:
        columns = mapping.detect(kind, header, {})
    except InvalidInputError:
        return
    assert len(set(columns.values())) == len(columns)
    assert all(0 <= position < len(header) for position in columns.values())


def _records(tmp_path: Path, content: str, width: int = 3) -> list[tuple[int, list[str] | None]]:
    path = tmp_path / "file.csv"
    path.write_text(content, "utf-8", newline="")
    return list(Records(path, "utf-8", ",", width))


def test_quoted_line_breaks(tmp_path: Path) -> None:
    assert _records(tmp_path, 'a,"b\r\nb",c\r\n\r\nd,e,f\r\n') == [
        (1, ["a", "b\r\nb", "c"]),
        (4, ["d", "e", "f"]),
    ]


def test_a_quote_never_closed_costs_one_row(tmp_path: Path) -> None:
    rows = "".join(f"{number},x,y\n" for number in range(3, 5000))
    records = _records(tmp_path, f'1,x,y\n2,"x,y\n{rows}')
    assert [row for row, record in records if record is None] == [2]
    assert len(records) == 4999
    assert records[-1] == (4999, ["4999", "x", "y"])


def test_short_and_long_rows(tmp_path: Path) -> None:
    records = _records(tmp_path, "a,b\na,b,c,,\na,b,c,d\n,,\n\na,b,c")
    assert records == [(1, None), (2, ["a", "b", "c"]), (3, None), (6, ["a", "b", "c"])]


@given(content=st.text(alphabet='a,"\n\r1', max_size=60))
def test_any_content_is_read_to_its_end(tmp_path_factory: pytest.TempPathFactory, content: str) -> None:
    for row, record in _records(tmp_path_factory.mktemp("any"), content):
        assert row >= 1
        assert record is None or len(record) == 3
