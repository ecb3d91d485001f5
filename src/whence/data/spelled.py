"""Numbers written as text: percent signs, currency signs, commas between thousands, decimal commas."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

_SIGN = r"[$€£¥]"
_PERCENT = r"^\s*[+-]?\d+(\.\d+)?\s*%\s*$"
_AMOUNT = rf"^\s*[+-]?{_SIGN}?\s*([1-9]\d{{0,2}}(,\d{{3}})+|\d+)(\.\d+)?\s*$"
# A comma before three digits could part thousands or decimals; any of these settles it.
_SETTLED = rf"{_SIGN}|,\d{{3}},|,\d{{3}}\.|^\s*[+-]?\d{{1,3}}(\.\d+)?\s*$"
_COMMA = rf"^\s*[+-]?{_SIGN}?\s*[\d.]+,\d+\s*({_SIGN}|%)?\s*$"
_DATE = r"^\s*\d{1,2}\.\s?\d{1,2}\.\s?\d{2,4}\s*$"
_ABOUT = rf"^\s*[+-]?{_SIGN}?\s*\d[\d.,' ]*\s*({_SIGN}|%)?\s*$"


def numbers_of(name: str, column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, str]:
    """Return a column of text as numbers if its writing is plain, else as it is; and a note if it looks like numbers.

    >>> import pyarrow as pa
    >>> numbers_of("rate", pa.chunked_array([["10%", "2.5 %"]]))[0].to_pylist()
    [10.0, 2.5]
    >>> numbers_of("rate", pa.chunked_array([["1,5", "2,25"]]))[1]
    "'rate' looks like numbers with decimal commas and was left as text: write them with a point."
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    present = column.drop_null()
    if not len(present) or not _all(present.slice(0, 50), _ABOUT) or _all(present, r"^\s*[+-]?\d+(\.\d+)?\s*$"):
        return column, ""
    if _all(present, _PERCENT):
        signs = "its percent signs"
    elif _all(present, _AMOUNT) and pc.any(pc.match_substring_regex(present, _SETTLED)).as_py():
        signs = "currency signs and commas between thousands"
    elif _all(present, _COMMA):
        return column, f"{name!r} looks like numbers with decimal commas and was left as text: write them with a point."
    elif _all(present, _ABOUT) and not _all(present, _DATE):
        return column, f"{name!r} looks like numbers with other signs and was left as text: write plain numbers."
    else:
        return column, ""
    plain = pc.replace_substring_regex(column, rf"{_SIGN}|[,%\s]", "")
    return plain.cast(pa.float64()), f"{name!r} was read as numbers, without {signs}."


def _all(texts: pa.ChunkedArray, pattern: str) -> bool:
    import pyarrow.compute as pc

    return bool(pc.all(pc.match_substring_regex(texts, pattern)).as_py())
