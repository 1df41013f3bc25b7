"""The feeds of the departments beside the first registers: payments, farms, firms and standing."""

from __future__ import annotations

from features.city.farming import farming_feeds
from features.city.firms import firm_feeds
from features.city.official import City, Office, Table
from features.city.paying import paying_feeds
from features.city.standing import standing_feeds


def government_feeds(city: City, registers: dict[str, Table]) -> dict[str, Table]:
    """The feeds by dataset; ``registers`` are those already written, whose dates and owners others repeat."""
    office = Office.of(city, registers)
    return paying_feeds(office) | farming_feeds(office) | firm_feeds(office) | standing_feeds(office)
