"""A contract: what a department promises of one dataset. Data, never code."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class FieldType(StrEnum):
    """How a field's text becomes an int64."""

    MONTH = "month"
    DATE = "date"
    INSTANT = "instant"
    MONEY = "money"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    CATEGORY = "category"
    ID = "id"
    ID_NUMBER = "id_number"
    USCC = "uscc"
    PERSONAL = "personal"
    """A name, address or phone: kept encrypted in the vault under the subject's key, never a column."""


class SubjectKind(StrEnum):
    """Who a dataset is about."""

    PERSON = "person"
    LEGAL_PERSON = "legal_person"
    HOUSEHOLD = "household"
    OPAQUE = "opaque"


class History(StrEnum):
    """What the source keeps of the past."""

    BITEMPORAL = "bitemporal"
    SNAPSHOT = "snapshot"
    """Only the latest state: it says nothing of any time before it was taken."""
    STATIC = "static"
    """Does not change, by the statement in the contract's note."""


class Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text in the two languages of the product."""

    zh: str
    en: str


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One column of a feed.

    ``min`` and ``max`` are in the unit of the text (yuan, not fen). ``scale`` is the number of decimal
    places that a ``decimal`` keeps. ``special_codes`` are reserved values with a meaning of their own.
    """

    name: str
    type: FieldType
    required: bool = False
    min: float | None = None
    max: float | None = None
    scale: int = 0
    codes: dict[str, Text] = msgspec.field(default_factory=dict)
    special_codes: tuple[float, ...] = ()
    zh: str = ""
    en: str = ""
    unit: str = ""
    format: str = ""
    sensitivity: int | None = None
    named: bool = False
    """Whether an id's texts are kept, so that people can be told which one it is."""
    protected: bool = False
    """An attribute that no feature may use; readable to test fairness and for nothing else."""

    @property
    def divisor(self) -> int:
        """What an int64 is divided by to be in the field's own unit."""
        if self.type is FieldType.MONEY:
            return 100
        return int(10**self.scale) if self.type is FieldType.DECIMAL else 1

    @property
    def is_code(self) -> bool:
        """Whether values are 48-bit codes of texts."""
        return self.type in {FieldType.CATEGORY, FieldType.ID}


class TimeSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where an instant comes from: a field, or a constant for data without time.

    ``usual_lag_days`` counts from the valid time (for a month: from its end) and serves rows that
    bring no known time of their own.
    """

    field: str | None = None
    constant: str | None = None
    usual_lag_days: float = 0.0


class Times(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Valid time and known time of a row."""

    valid_from: TimeSource
    valid_to: TimeSource | None = None
    known_from: TimeSource = TimeSource()


class LinkRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A dated link that each row declares: from its subject to the subject or group in ``field``."""

    kind: str
    to: SubjectKind
    field: str
    role: str = ""


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a portfolio's dataset lies, relative to its data folder.

    ``files`` are globs of delimited text. With ``sql`` the files of ``tables`` are joined first by that
    statement, which is how a dataset keyed by something else reaches its subject. ``header`` names the columns
    of files that do not, ``skip`` the beginnings of lines that are no rows, ``row_number`` a column that counts
    the rows of files without a key.
    """

    files: tuple[str, ...] = ()
    delimiter: str = ","
    header: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    row_number: str = ""
    nulls: tuple[str, ...] = ("",)
    sql: str = ""
    tables: dict[str, str] = msgspec.field(default_factory=dict)


class Contract(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one dataset is, when it is true, when it is known, and who may read it."""

    schema: int
    dataset: str
    department: str
    title: Text
    subject: SubjectKind
    subject_field: str
    consent_category: str
    legal_basis: tuple[str, ...]
    times: Times
    key: tuple[str, ...]
    fields: tuple[Field, ...]
    sensitivity: int = 3
    retention_months: int = 60
    refresh: str = ""
    history: History = History.BITEMPORAL
    note: str = ""
    links: tuple[LinkRule, ...] = ()
    source: Source | None = None
    only_purpose: str = ""
    """The one purpose for which the dataset may be read; empty for all that consent or a basis allows."""
    bases: dict[str, str] = msgspec.field(default_factory=dict)
    """Purpose to the legal basis under which that purpose needs no consent of the subject."""

    identity: dict[str, str] = msgspec.field(default_factory=dict)
    """Which field is the ``name``, ``birth_date``, ``address`` and ``phone`` of the subject."""
    unnumbered: bool = False
    """Whether rows without a valid number are held until it is known, by ``identity``, who they are about."""

    def field(self, name: str) -> Field:
        """The named field (a ``KeyError`` is a fault of the caller: names are checked on load)."""
        return next(field for field in self.fields if field.name == name)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the fields that become columns, in order: without the subject and personal texts."""
        return tuple(field.name for field in self.fields if field.type is not FieldType.PERSONAL)

    @property
    def limited(self) -> tuple[str, ...]:
        """Names of the fields with codes or limits."""
        fields = self.fields
        return tuple(f.name for f in fields if f.codes or f.min is not None or f.max is not None)

    @property
    def personal(self) -> tuple[str, ...]:
        """Names of the fields whose texts go to the vault."""
        return tuple(field.name for field in self.fields if field.type is FieldType.PERSONAL)
