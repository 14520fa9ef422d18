"""Numbers as people read them: counts, sizes, durations, powers of ten, shares, money.

Sizes are decimal (1 GB = 10^9 bytes); three significant digits are enough for a plan or a report.

    python -m hanlin.planning.units
"""

from __future__ import annotations

import math

__all__ = ["bits", "count", "duration", "exact", "money", "power", "share", "size"]

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_YEAR = 365.25 * 86_400


def count(value: float) -> str:
    """Write a large count with a letter: k, M, B, T.

    >>> count(950), count(1234567), count(174.6e9)
    ('950', '1.23M', '175B')
    """
    return _scaled(value, 1000, ("", "k", "M", "B", "T"), "")


def size(value: float) -> str:
    """Write a number of bytes.

    >>> size(532), size(1_240_000_000)
    ('532 B', '1.24 GB')
    """
    return _scaled(value, 1000, ("B", "kB", "MB", "GB", "TB", "PB"), " ")


def exact(value: float) -> str:
    """Write a number with thousands apart, and one below a thousand with at most four digits.

    >>> exact(1234567), exact(2743.02), exact(0.123456)
    ('1,234,567', '2,743', '0.1235')
    """
    if not math.isfinite(value):
        return str(value)
    if abs(value) < 1e15 and (abs(value) >= 1000 or float(value).is_integer()):
        return f"{round(value):,}"
    return f"{value:.4g}"


def duration(seconds: float) -> str:
    """Write a time in its two largest units.

    >>> duration(0.034), duration(95), duration(3 * 3600 + 700), duration(7e8)
    ('0.034 s', '1 min 35 s', '3 h 12 min', '22.2 years')
    """
    if not math.isfinite(seconds):
        return str(seconds)
    if seconds >= _YEAR:
        return f"{_digits(seconds / _YEAR)} years"
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 9.95 else f"{seconds:.2g} s"
    whole = round(seconds) if seconds < 3600 else round(seconds / 60) * 60
    if whole >= 86_400:
        return _pair(whole, 86_400, "days" if whole >= 2 * 86_400 else "day", 3600, "h")
    if whole >= 3600:
        return _pair(whole, 3600, "h", 60, "min")
    return _pair(whole, 60, "min", 1, "s")


def power(value: float) -> str:
    """Write a number as a power of ten.

    >>> power(3.14e23), power(1e-7)
    ('3.14 × 10²³', '1.00 × 10⁻⁷')
    """
    if not value or not math.isfinite(value):
        return str(value)
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{mantissa} × 10{str(int(exponent)).translate(_SUPERSCRIPTS)}"


def share(value: float) -> str:
    """Write a share of one as a percentage.

    >>> share(0.5), share(0.0312)
    ('50 %', '3.1 %')
    """
    percent = 100 * value
    return f"{percent:.0f} %" if abs(percent) >= 9.95 or percent == 0 else f"{percent:.1f} %"


def bits(value: float) -> str:
    """Write bits per byte: three decimals.

    >>> bits(1.02345)
    '1.023'
    """
    return f"{value:.3f}"


def money(value: float, currency: str) -> str:
    """Write an amount of money.

    >>> money(0.004, "EUR"), money(12345.6, "USD")
    ('0.0040 EUR', '12,346 USD')
    """
    decimals = 4 if abs(value) < 0.1 else 2 if abs(value) < 1000 else 0
    return f"{value:,.{decimals}f} {currency}"


def _scaled(value: float, base: int, letters: tuple[str, ...], gap: str) -> str:
    if not math.isfinite(value):
        return str(value)
    place, scaled = 0, float(value)
    while abs(scaled) >= 999.5 and place < len(letters) - 1:
        scaled, place = scaled / base, place + 1
    text = exact(round(scaled)) if place == 0 or abs(scaled) >= 999.5 else _digits(scaled)
    return f"{text}{gap if letters[place] else ''}{letters[place]}"


def _digits(value: float) -> str:
    decimals = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:,.{decimals}f}"


def _pair(whole: int, large: int, large_name: str, small: int, small_name: str) -> str:
    first, rest = divmod(whole, large)
    second = rest // small
    return f"{first} {large_name} {second} {small_name}" if second else f"{first} {large_name}"


if __name__ == "__main__":
    print(count(174.6e9), size(7.5e9), duration(2.25e9), power(3.14e23), share(0.412))
