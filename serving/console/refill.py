"""A form that was refused comes back as it was sent: what people typed is put into the page's own form, whatever page it is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from urllib.parse import unquote, urlsplit

from markupsafe import escape

WORDS = frozenset({"reason", "result", "note", "answer", "owner", "purpose", "limits", "text"})
"""The fields in which people write sentences: where no form of the page takes them any more, they stand above it."""
NEVER = frozenset({"csrf", "key", "page", "number", "old", "new", "password"})
"""What no page shows again: secrets, numbers of people, and what is a form's own."""
_FORM = re.compile(r'<form method="post"([^>]*)>(.*?)</form>', re.DOTALL)
_FIELD = re.compile(
    r"<input\b[^>]*>|(<textarea\b[^>]*>)(.*?)(</textarea>)|(<select\b[^>]*>)(.*?)(</select>)", re.DOTALL
)
_OPTION = re.compile(r"(<option\b[^>]*>)([^<]*)")
_CHOSEN = re.compile(r"\s(?:checked|selected)(?=[\s>])")
_VALUE = re.compile(r'\svalue="[^"]*"')
_UNTYPED = frozenset({"hidden", "password", "submit"})

Typed = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class CameBack:
    """Why a form was refused (code, field and sentence, empty where none was), to which address it went, and what stood in it."""

    status: int = 200
    code: str = ""
    place: str = ""
    message: str = ""
    address: str = ""
    typed: Typed | None = None
    lost: Sequence[str] = ()
    """Words that the page has no form for any more."""


FRESH = CameBack()


def words_of(typed: Typed) -> list[str]:
    """The sentences among what was typed."""
    return [text for name, texts in typed.items() if name in WORDS for text in texts if text]


def refilled(html: str, here: str, back: CameBack) -> tuple[str, Sequence[str]]:
    """A page of ours (at the path ``here``) whose form holds what was typed, and the words that no form took.

    The form is that of the same address; of several, the one whose hidden fields are most like those that were sent.
    """
    typed = back.typed or {}
    forms = [one for one in _FORM.finditer(html) if _address(one[1], here) == back.address]
    if not forms:
        return html, words_of(typed)
    form = max(forms, key=lambda one: _likeness(one[2], typed))
    taken: Counter[str] = Counter()
    body = _FIELD.sub(lambda field: _filled(field, typed, taken), form[2])
    left = [text for name, texts in typed.items() if name in WORDS for text in texts[taken[name] :] if text]
    return html[: form.start(2)] + body + html[form.end(2) :], left


def _filled(field: re.Match[str], typed: Typed, taken: Counter[str]) -> str:
    tag = field[1] or field[4] or field[0]
    name, kind = _attribute(tag, "name"), _attribute(tag, "type")
    if name in NEVER or kind in _UNTYPED or not name:
        return field[0]
    sent = typed.get(name, ())
    if kind in {"checkbox", "radio"}:
        return _marked(tag, "checked", on=_attribute(tag, "value") in sent)
    if field[4]:
        return field[4] + _options(field[5], sent) + field[6]
    text = sent[taken[name]] if len(sent) > taken[name] else ""
    taken[name] += 1
    if field[1]:
        return f"{field[1]}\n{escape(text)}{field[3]}"
    return f'{_VALUE.sub("", tag)[:-1]} value="{escape(text)}">'


def _options(options: str, sent: Sequence[str]) -> str:
    """The options with the one that was sent chosen; those of the page where it is none of them."""
    there = {_choice(one[1], one[2]) for one in _OPTION.finditer(options)}
    if not there.intersection(sent):
        return options
    return _OPTION.sub(
        lambda one: _marked(one[1], "selected", on=_choice(one[1], one[2]) in sent) + one[2], options
    )


def _choice(tag: str, text: str) -> str:
    return _attribute(tag, "value") if "value=" in tag else unescape(text)


def _marked(tag: str, mark: str, *, on: bool) -> str:
    plain = _CHOSEN.sub("", tag)
    return f"{plain[:-1]} {mark}>" if on else plain


def _likeness(body: str, typed: Typed) -> int:
    hidden = [tag for tag in re.findall(r"<input\b[^>]*>", body) if _attribute(tag, "type") == "hidden"]
    return sum(_attribute(tag, "value") in typed.get(_attribute(tag, "name"), ()) for tag in hidden)


def _address(attributes: str, here: str) -> str:
    return unquote(urlsplit(_attribute(attributes, "action")).path) or here


def _attribute(tag: str, name: str) -> str:
    found = re.search(rf'\s{name}="([^"]*)"', tag)
    return unescape(found[1]) if found else ""
