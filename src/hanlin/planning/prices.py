"""What a run costs in money, from the user's own prices; Hanlin knows none.

python -m hanlin.planning.prices
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hanlin.errors import UserError
from hanlin.planning.units import money

__all__ = ["Prices"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Prices as the user gave them, with their date: they age."""

    per_hour: float = 0.0
    """What an hour of the machine costs, when it is rented."""
    kilowatts: float = 0.0
    """What the machine draws while it works, when it is owned."""
    per_kilowatt_hour: float = 0.0
    """What a kilowatt-hour costs."""
    currency: str = ""
    date: str = ""
    """When these prices held."""

    def __post_init__(self) -> None:
        """Refuse prices below zero.

        Raises:
            UserError: a price is negative.
        """
        for name in ("per_hour", "kilowatts", "per_kilowatt_hour"):
            value = getattr(self, name)
            if value < 0:
                raise UserError(f"The price `{name}` is {value}. Give 0 or more.")

    @property
    def given(self) -> bool:
        """Whether there is any price."""
        return bool(self.per_hour or (self.kilowatts and self.per_kilowatt_hour))

    def amount(self, seconds: float) -> float:
        """Return what a time costs.

        >>> Prices(per_hour=2.0, kilowatts=0.5, per_kilowatt_hour=0.4).amount(1800)
        1.1
        """
        hours = seconds / 3600
        return hours * self.per_hour + hours * self.kilowatts * self.per_kilowatt_hour

    def describe(self, seconds: float) -> str:
        """Say the amount and how it comes about."""
        terms = []
        if self.per_hour:
            terms.append(f"{self.per_hour:g} an hour")
        if self.kilowatts and self.per_kilowatt_hour:
            terms.append(f"{self.kilowatts:g} kW at {self.per_kilowatt_hour:g} a kilowatt-hour")
        dated = f", prices of {self.date}" if self.date else ""
        return f"{money(self.amount(seconds), self.currency).strip()} ({' + '.join(terms)}{dated})"

    def as_dict(self, seconds: float) -> dict[str, Any]:
        """Return the amount with the prices that it stands on."""
        return {
            "amount": self.amount(seconds),
            "currency": self.currency,
            "price_date": self.date,
            "per_hour": self.per_hour,
            "kilowatts": self.kilowatts,
            "per_kilowatt_hour": self.per_kilowatt_hour,
        }


if __name__ == "__main__":
    print(Prices(per_hour=2.5, currency="EUR", date="2026-09-01").describe(5400))
