"""How models of many languages begin an answer that is none."""

from __future__ import annotations

import re
import unicodedata

#: A refusal is short; an answer that begins like one and goes on has more to say.
MOST_LETTERS = 500
_OPENING = 300
_NOISE = re.compile(r"[*_#>`\"“”«»]+")

_SORRY = (
    r"(?:(?:i ?'?a?m )?(?:(?:so |very |really |deeply )?sorry|afraid)|my apologies|apologies|"
    r"i apologi[sz]e|unfortunately|regret+ably|thank you for (?:asking|your question|reaching out))"
    r"[^.\n]{0,80}?[,.:;!—–-]*\s*(?:but\s+|however,?\s+|that\s+)?"
)
_AI = r"as an? (?:ai|artificial|(?:large )?language|virtual)[^,.\n]{0,60},?\s*"
_VERBS = (
    r"(?:help|assist|provide|comply|answer|fulfil+|do (?:that|this|so)|support|discuss|generate|"
    r"create|produce|write|access|browse|open|view|see|read|share|offer|engage|continue|proceed|"
    r"give|tell|recommend|respond|process|perform|complete|accommodate|satisfy|participate|"
    r"predict|verify|determine|find|locate|retrieve|identify|recall|fetch|be able)"
)
_CANNOT = (
    r"(?:\bi\s*|^sorry,? (?:but )?)"
    r"(?:(?:really |simply |currently |just )?(?:can ?not|can't|couldn't|won't|will not)"
    r"|(?:am|'m) (?:currently |really )?(?:unable|not able|not allowed|not permitted) to"
    r"|(?:do not|don't) have the (?:ability|capability|capacity|means) to)"
    rf"\s+(?:\w+ly |further )?{_VERBS}\b"
)
_DECLINE = (
    r"(?:i (?:must|have to|need to|will have to|'ll have to) (?:respectfully |politely )?decline"
    r"|i (?:respectfully |politely )?decline\b"
    r"|i(?: am|'m) not comfortable\b"
    r"|i (?:do not|don't) have (?:(?:any|enough|sufficient) )?(?:\w+ )?"
    r"(?:access|information|data|knowledge)\b"
    r"|i (?:do not|don't) (?:actually |really )?know\b"
    r"|i (?:have|'ve) no (?:information|knowledge|idea)\b"
    r"|(?:that|this)(?: is|'s) (?:not something i can|something i(?:'m unable| can't| cannot))\b)"
)
#: Everything is in small letters, with straight apostrophes and without markup.
_OPENINGS = (
    rf"(?:{_AI})?(?:{_SORRY})?(?:{_AI})?(?:{_CANNOT}|{_DECLINE})",
    # German
    r"(?:(?:es )?tut mir (?:sehr )?leid|entschuldigung|leider|als (?:ki|sprachmodell))"
    r"(?=[^.\n]{0,80}\bich\b)"
    r"[^.\n]{0,60}?\b(?:kann|darf|konnte|könnte|werde|bin)\b[^.\n]{0,60}?\b(?:nicht|kein\w*)\b",
    r"(?:ich|das|dabei|damit) (?:kann|darf|werde) "
    r"(?:ich |ihnen |dir |dabei |da |das |hier |leider )*nicht (?:\w+ )?"
    r"(?:helfen|weiterhelfen|beantworten|unterstützen|bereitstellen|nachkommen)",
    r"(?:das |leider )?weiß ich (?:leider )?nicht|ich weiß (?:es |das )?(?:leider )?nicht",
    # French
    r"(?:(?:je suis |je )?(?:vraiment )?(?:désolée?s?|navrée?|m'excuse)|malheureusement|en tant qu)"
    r"[^.\n]{0,80}?\bne (?:peux|puis|suis|sais|pourrai)\b",
    r"je ne (?:peux|puis|suis)(?: malheureusement)? pas (?:en mesure |capable |vous |t'|y |d'?)*"
    r"\s*(?:aider|répondre|fournir|aide|donner|accéder|satisfaire)",
    r"je ne sais pas\b",
    # Spanish
    r"(?:lo siento|lo lamento|disculp\w+|perdón|lamentablemente|desafortunadamente|"
    r"como (?:modelo|ia))[^.\n]{0,80}?\bno (?:puedo|podré|me es posible|estoy|tengo)\b",
    r"no puedo (?:ayudar|responder|proporcionar|cumplir|ofrecer|dar|acceder|asistir)|no lo sé\b",
    # Italian
    r"(?:mi dispiace|mi spiace|purtroppo|spiacente|come (?:modello|ia))"
    r"[^.\n]{0,80}?\bnon (?:posso|sono in grado|riesco|ho|potrò)\b",
    r"non posso (?:aiutar|risponder|fornir|assister|offrir|soddisfar)|non lo so\b",
    # Portuguese
    r"(?:(?:eu )?sinto muito|desculp\w+|lamento|infelizmente|como (?:modelo|ia|um modelo))"
    r"[^.\n]{0,80}?\bnão (?:posso|consigo|tenho|estou|poderei)\b",
    r"(?:eu )?não (?:posso|consigo) (?:ajudar|responder|fornecer|atender|oferecer)",
    r"(?:eu )?não sei\b",
    # Dutch, Swedish, Danish and Norwegian
    r"(?:het spijt me|sorry|helaas)(?=[^.\n]{0,80}\bik\b)"
    r"[^.\n]{0,60}?\b(?:kan|mag)\b[^.\n]{0,50}?\b(?:niet|geen)\b",
    r"ik kan (?:je |u |hier |daar |dat )*niet (?:\w+ )?(?:helpen|beantwoorden|geven)",
    r"(?:tyvärr|jag är ledsen|beklager|jeg beklager|desværre|undskyld|dessverre)"
    r"(?=[^.\n]{0,80}\bj(?:ag|eg)\b)[^.\n]{0,60}?\b(?:kan)\b[^.\n]{0,40}?\b(?:inte|ikke)\b",
    # Polish and Czech
    r"(?:przepraszam|przykro mi|niestety)[^.\n]{0,60}?\bnie (?:mogę|jestem|potrafię|mam)\b",
    r"nie mogę (?:pomóc|odpowiedzieć|udzielić|dostarczyć)|nie wiem\b",
    r"(?:omlouvám se|je mi líto|bohužel)[^.\n]{0,60}?\b(?:nemohu|nemůžu|nejsem)\b",
    # Turkish
    r"(?:üzgünüm|maalesef|özür dilerim)[^.\n]{0,120}?"
    r"(?:amam|emem|amıyorum|emiyorum|değilim)\b",
    # Russian and Ukrainian
    r"(?:извините|простите|к сожалению|мне (?:очень )?жаль|сожалею)"
    r"[^.\n]{0,60}?\bне (?:могу|смогу|имею|в состоянии|знаю)\b",
    r"я не (?:могу|смогу) (?:помочь|ответить|предоставить|выполнить|вам)|я не знаю\b",
    r"(?:вибачте|на жаль|перепрошую)[^.\n]{0,60}?\bне (?:можу|зможу|маю)\b",
    # Chinese, Japanese and Korean
    r"(?:很|非常|十分)?(?:抱歉|对不起|對不起|遗憾|遺憾)[^。\n]{0,30}?(?:无法|無法|不能|不便|不会|不會)",
    r"(?:作为|作為)(?:一个|一個)?[^。\n]{0,20}?(?:模型|助手|ai)[^。\n]{0,20}?(?:无法|無法|不能)",
    r"我(?:无法|無法|不能)(?:提供|回答|帮助|幫助|协助|協助|满足|滿足|完成)|我不知道",
    r"(?:大変|誠に)?(?:申し訳|すみません|恐れ入り|残念ながら|ごめん)"
    r"[^\n]{0,80}?(?:できません|できかね|いたしかね|ません)",
    r"(?:죄송|미안|유감)[^\n]{0,80}?(?:수 없|못합|못 합|어렵)",
    # Arabic, Hindi, Indonesian and Vietnamese
    r"(?:عذرا|عذرًا|آسف|أعتذر|للأسف|يؤسفني)[^.\n]{0,60}?(?:لا (?:أستطيع|يمكنني|أملك)|لست|لن )",
    r"(?:क्षमा करें|माफ़? ?कीजि|मुझे खेद|मुझे माफ)[^।\n]{0,80}?(?:नहीं)",
    r"(?:maaf|mohon maaf|sayangnya)[^.\n]{0,60}?\b(?:tidak (?:dapat|bisa)|tak bisa)\b",
    r"(?:xin lỗi|rất tiếc)[^.\n]{0,60}?\b(?:không thể)\b",
)
_REFUSES = re.compile("|".join(f"(?:{opening})" for opening in _OPENINGS))


def is_refusal(text: str) -> bool:
    """Return whether a text is short and begins by saying that there will be no answer.

    Example:
        >>> is_refusal("I'm sorry, but I can't help with that.")
        True
        >>> is_refusal("I'm sorry for your loss.")
        False
    """
    if len(text) > 4 * MOST_LETTERS or len(said := text.strip()) > MOST_LETTERS:
        return False
    plain = unicodedata.normalize("NFC", said[:_OPENING]).lower()
    plain = _NOISE.sub("", plain.replace("’", "'").replace("ʼ", "'")).strip()
    return _REFUSES.match(plain) is not None
