"""Numbers become subjects here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from features.contracts.model import SubjectKind
from features.identity.held import HeldRecord, PersonalText, TextVault


class Vault(TextVault, Protocol):
    """Maps a checked number to its ``subject_id``: a dense integer whose order says nothing."""

    def assign(self, kind: SubjectKind, numbers: Sequence[str]) -> NDArray[np.int64]:
        """Ids of these numbers, known or new; new ones are a random permutation of the next free ids."""
        ...

    def find(self, kind: SubjectKind, number: str) -> int | None:
        """Id of a known number, else None."""
        ...


def random_ids(first: int, count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """The ids ``first .. first + count - 1`` in random order."""
    return first + generator.permutation(count).astype(np.int64)


class MemoryVault:
    """A vault for public data, whose keys are nobody's numbers, and for tests; gone with the process."""

    def __init__(self, seed: int = 0) -> None:
        self._ids: dict[tuple[SubjectKind, str], int] = {}
        self._generator = np.random.default_rng(seed)
        self._texts: dict[PersonalText, None] = {}
        self._held: dict[bytes, HeldRecord] = {}

    def assign(self, kind: SubjectKind, numbers: Sequence[str]) -> NDArray[np.int64]:
        """See ``Vault.assign``."""
        new = [number for number in dict.fromkeys(numbers) if (kind, number) not in self._ids]
        for number, subject in zip(new, random_ids(len(self._ids), len(new), self._generator), strict=True):
            self._ids[kind, number] = int(subject)
        return np.fromiter((self._ids[kind, number] for number in numbers), np.int64, len(numbers))

    def find(self, kind: SubjectKind, number: str) -> int | None:
        """See ``Vault.find``."""
        return self._ids.get((kind, number))

    def keep(self, texts: Sequence[PersonalText]) -> None:
        """See ``TextVault.keep``."""
        self._texts |= dict.fromkeys(texts)

    def texts(self) -> Iterable[PersonalText]:
        """See ``TextVault.texts``."""
        return list(self._texts)

    def hold(self, records: Sequence[HeldRecord]) -> int:
        """See ``TextVault.hold``."""
        before = len(self._held)
        self._held |= {record.content: record for record in records}
        return len(self._held) - before

    def held(self) -> list[HeldRecord]:
        """The records that are held."""
        return list(self._held.values())
