"""Files that people and programs find whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from features.errors import Invalid


def put_file(path: Path, data: bytes, what: str = "it") -> None:
    """Write a file in a folder that is there, in place of one of that name; ``what`` says what could not be written.

    Raises:
        Invalid: the folder is not there or may not be written.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        draft.write_bytes(data)
        draft.replace(path)
    except OSError as error:
        problem = f"{what} cannot be written: {error.strerror}."
        raise Invalid(problem, place=str(path), remedy="Name a file in a folder that is there.") from None
