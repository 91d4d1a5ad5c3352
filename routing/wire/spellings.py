"""The words and numbers of a confidence line, in the spellings that models produce.

One line is looked at here; where in an answer such a line counts is `routing.wire.confidence`'s.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

#: A longer line is prose.
MOST_CHARS = 600

_WORDS = (
    "confidence|confident|confidency|certainty|konfidenz|konfidenzniveau|konfidenzwert|"
    "vertrauen|vertrauensniveau|vertrauenswert|zuversicht|sicherheit|gewissheit|confianza|"
    "certeza|confiance|certitude|fiducia|confidenza|sicurezza|confiança|segurança|vertrouwen|"
    "betrouwbaarheid|zekerheid|konfidens|säkerhet|förtroende|tillit|tillid|sikkerhed|"
    "sikkerhet|luottamus|varmuus|pewność|ufność|pewności|ufności|jistota|důvěra|spolehlivost|"
    "уверенность|уверенности|достоверность|впевненість|впевненості|güven|eminlik|încredere|"
    "magabiztosság|bizonyosság|εμπιστοσύνη|βεβαιότητα|置信度|可信度|信心度|自信度|信心|把握|信頼度|確信度|信頼性|自信|"
    "신뢰도|확신도|자신감|확신|الثقة|ثقة|ביטחון|विश्वास|आत्मविश्वास|keyakinan|kepercayaan|độ tin cậy|"
    "sự tự tin|độ tự tin|ความมั่นใจ|ความเชื่อมั่น"
)
_BEFORE = (
    "my|the|our|overall|final|answer|self-reported|self reported|estimated|model|total|general|"
    "nivel de|nível de|grau de|niveau de|indice de|degré de|taux de|livello di|grado di|grado de|"
    "mein|meine|mi|ma|mon|la mia|poziom|уровень|степень|рівень|tingkat|mức|mức độ|nivå av|مستوى|"
    "درجة|רמת|回答的|答案的|回答の|답변|응답"
)
_AFTER = (
    "level|score|rating|estimate|value|percentage|percent|probability|düzeyi|seviyesi|スコア|レベル|"
    "分数|水平|评分|점수|수준|in (?:my|this|the) (?:answer|response|solution)|that (?:this|the|my) "
    "(?:answer|response) is (?:correct|right)"
)
_ABOUT = (
    r"~|≈|±|<=?|>=?|≤|≥|about|around|approx(?:imately|\.)?|roughly|nearly|almost|over|at least|"
    r"circa|ca\.|etwa|rund|environ|aprox(?:imadamente|\.)?|cerca de|примерно|около|约|約|大约"
)
_UNITS = (
    r"%|percent|per cent|pct|prozent|pour ?cents?|por ?ciento|por ?cento|per ?cento|procent|"
    r"процент(?:ов|а)?|퍼센트|パーセント|分|点|점"
)
_OVER = r"/|out of|of|von|sur|de|su|uit|из|av|z|/100"
_LEVELS = {
    0.95: "certain|absolute|absolutely certain|full|complete|total",
    0.85: "high|hoch|hohe|alta|alto|élevée?|haute?|forte|wysoka|wysoki|высокая|высокий|висока|高|"
    "较高|높음|hoog|hög|høj|høy|yüksek|ridicată|magas|عالية|tinggi|cao|sure|confident",
    0.5: "medium|moderate|mittel|media|medio|média|médio|moyenne?|średnia|średni|средняя|средний|"
    "середня|中|中等|중간|보통|gemiddeld|medel|middel|orta|medie|közepes|متوسطة|sedang|trung bình",
    0.2: "low|niedrig|gering|baja|bajo|baixa|baixo|bassa|basso|faible|basse|niska|niski|низкая|"
    "низкий|низька|低|较低|낮음|laag|låg|lav|düşük|scăzută|alacsony|منخفضة|rendah|thấp|unsure|uncertain",
}
_VERY = (
    "very|extremely|sehr|muy|très|molto|muito|bardzo|очень|дуже|非常|很|とても|매우|zeer|mycket|"
    "meget|veldig|çok|foarte|nagyon|sangat|rất"
)
_UNSAID = r"n/?a|none|unknown|unclear|not (?:available|applicable|known)|tbd|\?+|x+|y+|-+|\.\.\."

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe0e\ufe0f\ufeff]")


def fold(line: str) -> tuple[str, list[int]]:
    """Return a line without accents, odd widths and invisible signs, and where each sign was."""
    signs: list[str] = []
    places: list[int] = []
    for place, sign in enumerate(line):
        for plain in _plain(sign):
            signs.append(plain)
            places.append(place)
    return "".join(signs), [*places, len(line)]


def _plain(sign: str) -> str:
    if sign.isascii():
        return sign
    if _INVISIBLE.match(sign):
        return ""
    if sign in "٫−﹣":
        return "." if sign == "٫" else "-"
    if sign in "٪":
        return "%"
    parts = unicodedata.normalize("NFKD", sign)
    return "".join(part for part in parts if not unicodedata.combining(part))


def _folded(words: str) -> str:
    return fold(words)[0]


_NUMBER = r"[-+]?(?:\d{1,9}(?:[.,]\d{1,9})?|[.,]\d{1,9})"
#: Models that write formulas put the line into one too.
_TEX = r"\\(?:text(?:bf|it|tt|rm)?|math(?:bf|it|rm|tt)|boxed|fbox)(?=\{)"
_DECOR = rf"(?:[\s*_`\"'“”‘’<>\[\](){{}}$\\#|]|{_TEX})*"
_KEY = _folded("|".join(sorted(_WORDS.split("|"), key=len, reverse=True)))
_LEVEL = _folded("|".join(sorted("|".join(_LEVELS.values()).split("|"), key=len, reverse=True)))
_VALUE = _folded(
    rf"(?:(?:{_ABOUT})\s*)?(?P<number>{_NUMBER})"
    rf"(?:\s*[*_`]*\s*\\?(?:{_UNITS}))?(?:\s*(?:-|–|—|to|bis|a)\s*{_NUMBER}(?=\s*(?:%|/|[\W_]*\Z)))?"
    rf"(?P<unit>\s*[*_`]*\s*\\?(?:{_UNITS})\.?|\s*(?:{_OVER})\s*(?P<over>\d{{1,9}}(?:\.0+)?))?"
    r"(?![^\W_])(?![.,]\d)"
) + (
    rf"|(?P<very>(?:{_folded(_VERY)})\s*)?(?P<level>{_LEVEL})(?![^\W_]|-)"
    rf"(?:[\s,(\[:=-]*(?P<beside>{_NUMBER})\s*%[)\]]*)?"
    rf"|(?P<unsaid>{_UNSAID})(?![^\W_])"
)
_HEAD = (
    rf"(?P<before>(?:[\W_]|{_TEX}){{0,40}}(?:\d{{1,2}}[.)]\s[\W_]{{0,10}})?)(?:(?:{_folded(_BEFORE)})\s*)*"
    rf"(?P<key>{_KEY})(?![^\W\d_])(?:\s*(?:{_folded(_AFTER)}))*"
    r"(?:\s*[(\[][^)\]]{0,40}[)\]])?"
)
_IS = r"(?:is|are|of|at|ist|est|es|e|is:|は|为|為|是)\b|は|为|為|是"
_JOIN = rf"{_DECOR}(?:(?P<join>[:=|~]+|->|=>|[-–—→]+>?|{_IS}){_DECOR})?"
_LINE = re.compile(
    rf"{_HEAD}{_JOIN}(?:{_VALUE})(?P<close>{_DECOR})(?P<tail>.*)", re.IGNORECASE | re.DOTALL
)
_TAG = re.compile(
    rf"\W{{0,40}}?<\s*(?P<key>{_KEY})\s*>\s*(?:{_VALUE})\s*<\s*/\s*\w+\s*>(?P<tail>[\W_]*)",
    re.IGNORECASE,
)
_REVERSED = re.compile(
    rf"(?P<before>\W{{0,40}})(?:i(?:'m| am)\s+)?(?:{_VALUE})\s*"
    r"(?P<key>confiden(?:ce|t)|certain|sure)"
    r"(?P<tail>(?:\s+(?:in|of|that|about)\s+(?:my|this|the|it)\b[\w\s]{0,40})?[\W_]*)\Z",
    re.IGNORECASE,
)
#: Asked first, so that a line of nothing but marks is not tried in every way.
_MENTIONS = re.compile(rf"{_KEY}|confident|certain|sure", re.IGNORECASE)
_KEY_ALONE = re.compile(rf"{_HEAD}[\W_]*\Z", re.IGNORECASE)
_VALUE_ALONE = re.compile(rf"{_DECOR}(?:{_VALUE})(?P<tail>[\W_]*)\Z", re.IGNORECASE)
#: In the agreed word, at the end of a line, whatever stands there instead of a number.
_UNREADABLE = re.compile(r"[\W_]*(?P<key>CONFIDENCE)\s*[*_]*\s*[:=](?P<tail>\W*(?:\S+\W*){0,2})\Z")
#: What explains a number: nothing of the answer is lost with it.
_EXPLAINS = re.compile(
    r"\s*(?:[(\[,;:–—/-]|because\b|since\b|as\b|given\b|due\b|based\b|that\b|in\b|for\b|but\b|"
    r"confident\b|sure\b|certain\b|weil\b|da\b|denn\b|car\b|parce\b|porque\b|perche\b)",
    re.IGNORECASE,
)
_SPEAKS_OF_IT = re.compile(
    r"\b(?:sure|unsure|confiden\w+|certain\w*|uncertain\w*|doubts?)\b", re.IGNORECASE
)
#: An estimate and its interval: statistics, and no statement about the answer.
_STATISTICS = re.compile(
    r"[\s*_)]*(?:ci\b|c\.i\.|interval|intervall|intervalo|band|level\b|limit|bound)", re.IGNORECASE
)


@dataclass(frozen=True)
class Found:
    """A confidence line, or its part of a line.

    Attributes:
        confidence: in [0, 1]; None when its value cannot be read.
        is_agreed: it has the agreed word in capitals.
        is_json: its word is a JSON key, which needs braces around it.
        is_alone: nothing follows its value.
        is_explained: what follows only explains the value.
        begin: where in the line its word begins, marks before it included.
        rest: where in the line the value ends.
    """

    confidence: float | None
    is_agreed: bool
    is_json: bool = False
    is_alone: bool = True
    is_explained: bool = False
    begin: int = 0
    rest: int = 0


def find(line: str) -> Found | None:
    """Return what a whole line says of confidence, or None when it is prose.

    Args:
        line: without its line break.
    """
    if len(line) > MOST_CHARS:
        return None
    folded, places = fold(line)
    if not _MENTIONS.search(folded):
        return None
    for pattern in (_TAG, _REVERSED):
        match = pattern.fullmatch(folded)
        if match is not None:
            return Found(_confidence(match), match["key"].isupper(), rest=len(line))
    match = _LINE.fullmatch(folded)
    if match is not None:
        return _judged(folded, match, places)
    match = _UNREADABLE.match(folded)
    return Found(None, True, rest=len(line)) if match is not None else None


def _judged(folded: str, match: re.Match[str], places: list[int]) -> Found | None:
    tail, is_agreed = match["tail"], match["key"].isupper()
    is_alone = not re.search(r"\w", tail)
    explained = _EXPLAINS.match(match["close"][-1:] + tail) or _SPEAKS_OF_IT.search(tail)
    if _STATISTICS.match(tail) or (not match["join"] and not is_alone):
        return None
    starts_anew = match["close"].rstrip(" ") == "" and tail[:1] in ".;!。"
    if not (is_alone or is_agreed or explained or starts_anew):
        return None
    return Found(
        _confidence(match),
        is_agreed,
        is_json=folded[: match.start("key")].rstrip()[-1:] in ("'", '"')
        and folded[match.end("key") :].lstrip()[:1] in ("'", '"'),
        is_alone=is_alone,
        is_explained=bool(explained),
        begin=places[match.start("key")],
        rest=places[match.start("close")],
    )


def is_key(line: str) -> bool:
    """Return whether a line is the word alone, as a heading: its value may be on the next one."""
    if len(line) > MOST_CHARS or not re.search(r"[#*:=：<]|CONFIDENCE", line):
        return False
    folded = fold(line)[0]
    return bool(_MENTIONS.search(folded) and _KEY_ALONE.fullmatch(folded))


def value(line: str) -> Found | None:
    """Return the value of a line that is nothing else, or None."""
    if len(line) > MOST_CHARS:
        return None
    match = _VALUE_ALONE.fullmatch(fold(line)[0])
    return None if match is None else Found(_confidence(match), False)


def _confidence(match: re.Match[str]) -> float | None:
    said = match.groupdict()
    if said.get("beside"):
        return _share(said["beside"], "%", None)
    if said.get("level"):
        return _level(said["level"].lower(), bool(said["very"]))
    if said.get("number"):
        return _share(said["number"], said["unit"] or _inner_unit(match), said["over"])
    return None


def _inner_unit(match: re.Match[str]) -> str:
    """Return the percent sign of a range's first end: 80%-90."""
    return "%" if "%" in match[0][match.end("number") - match.start() :][:4] else ""


def _level(word: str, is_very: bool) -> float:
    share = next(s for s, words in _LEVELS.items() if word in _folded(words).split("|"))
    if not is_very or share == 0.5:
        return share
    return 0.95 if share > 0.5 else 0.05


def _share(number: str, unit: str, over: str | None) -> float | None:
    """Return a number as a share; None outside [0, 1].

    Of 100 is what was agreed; so a bare 1 is one per cent. A number with a decimal part up to 1 was
    meant as a share.
    """
    amount = float(number.replace(",", "."))
    if over:
        whole = float(over)
    else:
        is_share = not unit.strip() and re.search(r"[.,]", number) and abs(amount) <= 1
        whole = 1.0 if is_share else 100.0
    share = amount / whole if whole else -1.0
    return abs(share) if 0.0 <= share <= 1.0 else None
