"""Names, addresses and phones of everybody, and the paper records that carry them instead of a number.

Nothing here depends on how somebody lives: a record on paper says of its person what the register says, with
the errors of a hand, and which machine was bought. Who it was is told to the truth alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.calendar import DAY
from features.city.text import People, birth_text, date_text, id_text, instant_text

Ints = NDArray[np.int64]
Texts = NDArray[np.str_]

SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾萧田董潘袁于蒋蔡"
GIVEN = (
    "伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂文辉玲华红建国志海云飞龙凤春梅雪松柏林森金玉宝珍珠德福"
    "祥瑞康宁安泰和顺兴旺家业永长久远大成功利民生学思源清泉波江河山峰岩石晨曦阳光月星辰宇航天翔鹏鸿燕莺"
)
HOMOPHONES = {
    "王": "汪", "张": "章", "李": "黎", "伟": "卫", "芳": "方", "静": "靖", "丽": "利", "军": "君", "洋": "阳", "勇": "永",
    "杰": "捷", "明": "鸣", "平": "萍", "文": "雯", "辉": "晖", "玲": "铃", "华": "桦", "红": "宏", "志": "智", "海": "亥",
    "飞": "菲", "龙": "隆", "春": "椿", "松": "嵩", "林": "琳", "金": "今", "玉": "钰", "德": "得", "福": "富", "祥": "翔",
}  # fmt: skip
VILLAGES = tuple(f"{a}{b}村" for a in "青白石高大小" for b in "山河湾桥岭坪塘田庙井")
PAPER = 0.18
"""Share of people with a record on paper; the errors below are of those."""
NUMBERED, STRANGERS = 0.08, 0.03
WRONG_NAME, WRONG_BIRTH, NO_PHONE, OLD_PHONE, MOVED = 0.08, 0.05, 0.12, 0.06, 0.06


@dataclass(frozen=True, slots=True)
class Identities:
    """Texts of heads, then of members [people]; ``old_phone`` is one that no register knows any more."""

    name: Texts
    address: Texts
    phone: Texts
    old_phone: Texts
    birth: list[str]


def draw_identities(people: People, g: np.random.Generator) -> Identities:
    """Names as frequent as real ones, so that namesakes exist; a household shares its address."""
    house = np.concatenate([np.arange(len(people.heads)), people.member_of])
    numbers = np.concatenate([people.heads, people.members])
    n, homes = len(numbers), len(people.heads)
    role = np.concatenate([np.full(homes, -1), np.arange(len(people.members)) % 3])
    weight = 1 / (np.arange(len(SURNAMES)) + 3.0)
    surname = g.choice(len(SURNAMES), n, p=weight / weight.sum())
    surname = np.where(role >= 1, surname[house], surname)  # children and parents bear the head's
    weight = 1 / (np.arange(len(GIVEN)) + 12.0)
    given = g.choice(len(GIVEN), (n, 2), p=weight / weight.sum())
    short = g.random(n) < 0.15
    name = [
        SURNAMES[a] + GIVEN[b] + ("" if one else GIVEN[c])
        for a, (b, c), one in zip(surname, given, short, strict=True)
    ]
    group, door = g.integers(1, 9, homes), g.integers(1, 60, homes)
    address = [f"{VILLAGES[h % 60]}{group[h]}组{door[h]}号" for h in house]
    own = phones(n, g)
    shared = (role >= 0) & (g.random(n) < 0.25)
    phone = np.where(shared, own[house], own)
    return Identities(np.array(name), np.array(address), phone, phones(n, g), birth_text(numbers))


def phones(n: int, g: np.random.Generator) -> Texts:
    """Numbers of mobile phones."""
    prefix = np.array(["138", "139", "150", "158", "186", "177"])[g.integers(0, 6, n)]
    return np.array([f"{a}{b:08}" for a, b in zip(prefix, g.integers(0, 10**8, n), strict=True)])


def paper_feed(
    people: People, known: Identities, start: int, months: int, g: np.random.Generator
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The feed ``agricultural_machinery_paper`` and its truth: entry and number, empty for strangers."""
    numbers = np.concatenate([people.heads, people.members])
    of_age = np.array([int(birth[:4]) < 2003 for birth in known.birth])
    chosen = np.flatnonzero(of_age & (g.random(len(numbers)) < PAPER))
    n = len(chosen)
    stranger = g.random(n) < STRANGERS
    right = np.where(stranger, np.roll(known.name[chosen], 1), known.name[chosen])
    wrong = g.random(n) < WRONG_NAME
    name = [_misheard(text, g) if bad else text for text, bad in zip(right, wrong, strict=True)]
    wrong = g.random(n) < WRONG_BIRTH
    birth = [
        _other_birth(known.birth[p], g) if s else known.birth[p]
        for p, s in zip(chosen, stranger, strict=True)
    ]
    birth = [_miswritten(text, g) if bad else text for text, bad in zip(birth, wrong, strict=True)]
    home = np.where(g.random(n) < MOVED, g.permutation(n), np.arange(n))
    home = np.where(stranger, g.permutation(n), home)
    phone = np.where(g.random(n) < OLD_PHONE, known.old_phone[chosen], known.phone[chosen])
    phone = np.where(stranger, phones(n, g), phone)
    phone = np.where(g.random(n) < NO_PHONE, "", phone)
    number = np.where((g.random(n) < NUMBERED) & ~stranger, numbers[chosen], "")
    bought = start + g.integers(1, months * 30 - 60, n) * DAY
    entry = id_text("L", np.arange(n))
    feed = {
        "id_number": number, "entry": entry, "name": name, "birth_date": birth,
        "address": known.address[chosen][home], "phone": phone, "bought_on": date_text(bought),
        "kind": np.array(["tractor", "harvester", "drone", "other"])[g.integers(0, 4, n)],
        "value": np.round(g.lognormal(9.5, 0.7, n), 2), "published_at": instant_text(bought + 20 * DAY),
    }  # fmt: skip
    return feed, {"entry": entry, "id_number": np.where(stranger, "", numbers[chosen])}


def _misheard(name: str, g: np.random.Generator) -> str:
    """A homophone, or another character in its place."""
    at = int(g.integers(0, len(name)))
    other = HOMOPHONES.get(name[at]) or GIVEN[int(g.integers(0, len(GIVEN)))]
    return name[:at] + other + name[at + 1 :]


def _miswritten(birth: str, g: np.random.Generator) -> str:
    """Day and month exchanged, or one digit of the year."""
    year, month, day = birth.split("-")
    if int(day) <= 12 and day != month and g.random() < 0.6:
        return f"{year}-{day}-{month}"
    return f"{int(year) + int(g.choice([-10, -1, 1, 10]))}-{month}-{day}"


def _other_birth(birth: str, g: np.random.Generator) -> str:
    return f"{int(birth[:4]) - int(g.integers(2, 30))}-{g.integers(1, 13):02}-{g.integers(1, 29):02}"
