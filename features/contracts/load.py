"""Contracts from YAML, checked as a whole before anything is read with them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from features.catalogue.model import Catalogue
from features.consent import BASES, FITTING, Purpose
from features.contracts.documents import BrokenDocument, read_yaml
from features.contracts.model import Contract, Field, FieldType, History, SubjectKind, TimeSource

BUILTIN = Path(__file__).parent
"""The folder of the contracts that Yidai ships."""
_DEPARTMENTS = BUILTIN.parent / "catalogue" / "departments.yaml"

FORBIDDEN_CATEGORIES = frozenset(
    {"religion", "genes", "fingerprint", "blood_type", "disease", "medical_history"}
)
"""Never collected: REG-CR-02."""
PROTECTED_WORDS = frozenset(
    {
        "sex", "gender", "ethnicity", "ethnic", "nationality", "religion", "faith", "health", "disease", "diagnosis",
        "disability", "blood", "genes", "political", "party", "marital", "married", "divorced", "pregnant",
        "religious", "xingbie", "minzu", "zongjiao", "xinyang", "jiankang", "jibing", "canji", "zhengzhi", "dangyuan", "hunyin",
    }
)  # fmt: skip
"""A field with one of these words in its name must be marked ``protected``; proxies by name are caught too."""
_OF_A_LABEL = PROTECTED_WORDS - {"party"}
"""In a sentence a party is mostly the other side of a contract."""
_PROTECTED_CHINESE = re.compile("性别|民族|宗教|信仰|健康|疾病|残疾|政治|党员|婚")
_WORD = re.compile("[A-Z]?[a-z]+|[A-Z]+")
_DATASET = re.compile("[A-Za-z0-9_]+")
_FIELD = re.compile(r"\w+([ .-]\w+)*")
_LONGEST_LAG = 36_500
"""Days: a century. No source is later, and a lag of any size would overflow an instant."""
FAIRNESS_TEST = Purpose.FAIRNESS_TEST.value
"""The only purpose for which protected attributes may be read."""
_TIME_TYPES = {FieldType.MONTH, FieldType.DATE, FieldType.INSTANT}


def load_contract(path: Path) -> Contract:
    """One checked contract."""
    contract = read_yaml(path, Contract)
    check_contract(contract, path)
    return contract


@cache
def _shipped(path: Path) -> Contract:
    contract = load_contract(path)
    check_shipped(contract, path)
    return contract


def load_contracts(folders: Iterable[Path]) -> dict[str, Contract]:
    """All contracts of these folders by dataset; a later folder may not redefine an earlier dataset."""
    found: dict[str, Contract] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.yaml")):
            contract = _shipped(path) if folder == BUILTIN else load_contract(path)
            if contract.dataset in found:
                raise BrokenDocument(path, f"dataset {contract.dataset!r} is declared twice.", "Rename one.")
            found[contract.dataset] = contract
    return found


def check_shipped(contract: Contract, path: Path) -> None:
    """A contract in Yidai's own folder is called as its file, and its department is in the catalogue.

    Raises:
        BrokenDocument: with the offending name.
    """
    if contract.dataset != path.stem:
        raise BrokenDocument(path, f"dataset: {contract.dataset!r} is not the file's name.", "Rename one.")
    if contract.department not in _departments():
        problem = f"department: {contract.department!r} is not in the catalogue."
        raise BrokenDocument(path, problem, f"Add it to {_DEPARTMENTS.name}, or mend the name.")


@cache
def _departments() -> frozenset[str]:
    return frozenset(owner.code for owner in read_yaml(_DEPARTMENTS, Catalogue).owners)


def check_contract(contract: Contract, path: Path | str) -> None:
    """Every name that the contract uses is one of its fields, and its times are times.

    Raises:
        BrokenDocument: with the offending name.
    """
    if contract.schema != 1:
        raise BrokenDocument(path, f"schema {contract.schema} is not known.", "Write schema: 1.")
    if contract.consent_category in FORBIDDEN_CATEGORIES:
        raise BrokenDocument(path, f"{contract.consent_category!r} may not be collected (REG-CR-02).")
    fields = {field.name: field for field in contract.fields}
    if len(fields) != len(contract.fields):
        twice = Counter(field.name for field in contract.fields).most_common(1)[0][0]
        raise BrokenDocument(path, f"a field name stands twice: {twice!r}.", "Rename one.")
    _check_spelling(contract, path)
    _check_amounts(contract, path)
    _check_names(contract, fields, path)
    _check_protected(contract, path)
    _check_bases(contract, path)
    _check_identity(contract, path)
    for field in contract.fields:
        if field.named and field.type is not FieldType.ID:
            raise BrokenDocument(path, f"{field.name!r} is named, but no id.", "Only ids are named.")
    _check_times(contract, fields, path)
    if contract.history is History.STATIC and not contract.note:
        raise BrokenDocument(path, "a static dataset needs a note that says why it does not change.")


def _check_spelling(contract: Contract, path: Path | str) -> None:
    if not _DATASET.fullmatch(contract.dataset):
        problem = f"dataset: {contract.dataset!r} is no name of a dataset."
        raise BrokenDocument(path, problem, "Take letters a to z, digits and underscores.")
    for name in (contract.subject_field, *(field.name for field in contract.fields)):
        if not _FIELD.fullmatch(name):
            problem = f"field {name!r} has a name that is none."
            raise BrokenDocument(path, problem, "Take letters, digits and underscores.")


def _check_amounts(contract: Contract, path: Path | str) -> None:
    months = contract.retention_months
    if months <= 0:
        problem = f"retention_months: {months} keeps nothing."
        raise BrokenDocument(path, problem, "Write the months for which rows are kept, from 1.")
    for label, source in _time_sources(contract):
        if not 0 <= source.usual_lag_days <= _LONGEST_LAG:
            problem = f"times.{label}.usual_lag_days: {source.usual_lag_days} is no lag."
            raise BrokenDocument(path, problem, f"Write days from 0 to {_LONGEST_LAG}.")
    for field in contract.fields:
        limits = [limit for limit in (field.min, field.max) if limit is not None]
        if not all(map(math.isfinite, (*limits, *field.special_codes))):
            problem = f"field {field.name!r}: min, max or a special code is no finite number."
            raise BrokenDocument(path, problem, "Write a number, or leave the limit out.")
        if limits != sorted(limits):
            problem = f"field {field.name!r}: min {field.min} is above max {field.max}."
            raise BrokenDocument(path, problem, "Exchange or mend the two limits.")


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)}


def _protected_by(field: Field) -> str:
    """What tells that a field is a protected attribute: its name, its label, or nothing."""
    if PROTECTED_WORDS & _words(field.name) or _PROTECTED_CHINESE.search(field.name):
        return "name"
    labels = f"{field.zh} {field.en}"
    return "label" if _OF_A_LABEL & _words(labels) or _PROTECTED_CHINESE.search(labels) else ""


def _check_protected(contract: Contract, path: Path | str) -> None:
    for field in contract.fields:
        if not field.protected and (told := _protected_by(field)):
            problem = f"field {field.name!r} is by its {told} an attribute that no feature may use."
            raise BrokenDocument(path, problem, "Leave it out, or mark it `protected: true`.")
        if field.protected and contract.only_purpose != FAIRNESS_TEST:
            problem = f"field {field.name!r} is protected, but the dataset may be read for other purposes."
            raise BrokenDocument(path, problem, f"Write only_purpose: {FAIRNESS_TEST}, or leave it out.")


def _check_bases(contract: Contract, path: Path | str) -> None:
    for purpose in [*contract.bases, *filter(None, [contract.only_purpose])]:
        if purpose not in set(Purpose):
            problem = f"purpose {purpose!r} is not known."
            raise BrokenDocument(path, problem, f"Purposes: {', '.join(Purpose)}.")
    fitting = ", ".join(f"{purpose}: {basis}" for purpose, basis in FITTING.items())
    for purpose, basis in contract.bases.items():
        if basis not in BASES:
            problem = f"basis {basis!r} is not known."
            told = f"Bases: {', '.join(BASES)}; their words are in the reference."
            raise BrokenDocument(path, problem, told)
        if FITTING.get(Purpose(purpose)) != basis:
            problem = f"bases: {basis!r} is no basis for {purpose}."
            raise BrokenDocument(path, problem, f"Leave it out; what fits: {fitting}.")


IDENTITY = ("name", "birth_date", "address", "phone")
"""What a person is recognised by."""


def _check_identity(contract: Contract, path: Path | str) -> None:
    types = {field.name: field.type for field in contract.fields}
    for part, name in contract.identity.items():
        wanted = FieldType.DATE if part == "birth_date" else FieldType.PERSONAL
        if part not in IDENTITY or types.get(name) is not wanted:
            problem = f"identity: {part}: {name} is not a {wanted.value} field."
            raise BrokenDocument(path, problem, f"Parts: {', '.join(IDENTITY)}.")
    if contract.unnumbered and set(IDENTITY) != set(contract.identity):
        raise BrokenDocument(path, "rows without a number need all of `identity`.", ", ".join(IDENTITY))
    if contract.unnumbered and contract.subject is not SubjectKind.PERSON:
        raise BrokenDocument(path, "only persons are recognised without a number.", "Drop `unnumbered`.")
    used = {*contract.key, *(link.field for link in contract.links)}
    for name in used & set(contract.personal):
        raise BrokenDocument(path, f"{name!r} is personal: no key and no link.", "Take an id.")


def _check_names(contract: Contract, fields: Mapping[str, Field], path: Path | str) -> None:
    for name in contract.key:
        if name not in fields:
            raise BrokenDocument(path, f"key {name!r} is not a field.", f"Fields: {', '.join(fields)}.")
    for link in contract.links:
        if link.field not in fields:
            raise BrokenDocument(path, f"the link {link.kind!r} names no field: {link.field!r}.")
    if contract.subject_field in fields:
        raise BrokenDocument(path, f"{contract.subject_field!r} is the subject and may not be a field too.")


def _check_times(contract: Contract, fields: Mapping[str, Field], path: Path | str) -> None:
    times = contract.times
    if times.valid_from.field is None and times.valid_from.constant is None:
        raise BrokenDocument(path, "times.valid_from needs a field or a constant.")
    for label, source in _time_sources(contract):
        if source.field is None:
            continue
        field = fields.get(source.field)
        if field is None or field.type not in _TIME_TYPES:
            problem = f"times.{label}: {source.field!r} is not a month, date or instant field."
            raise BrokenDocument(path, problem)


def _time_sources(contract: Contract) -> list[tuple[str, TimeSource]]:
    times = contract.times
    found = [("valid_from", times.valid_from), ("known_from", times.known_from)]
    return [*found, ("valid_to", times.valid_to)] if times.valid_to else found
