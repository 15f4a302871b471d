"""Whether a message that speaks of a request again is a yes to it: "I don't need it, cancel it" is. Pure.

Understood as an intent, "cancel it" and "don't cancel it" are the same. What is not clear is left open: the
customer is then asked once more. All words here are without diacritics.
"""

from __future__ import annotations

import re

from rapport.shop.phrases import fold

# How the verb of a request that needs a yes begins.
VERBS = {
    "cancel_order": "cancel|anul|kanseller|avbestill|renunt",
    "delete_account": "delet|clos|remov|eras|borr|elimin|cerr|cierr|baja|slett|lukk|steng|avslutt"
    "|sterg|inchi|dezactiv",
    "reorder": "order|reorder|buy|repeat|repet|repit|pid|bestill|kjop|gjenta|comand|cumpar",
    "redeem_points": "us[ei]|redeem|spend|usa|canje|gast|bruk|innlos|los|folos|schimb|valorific",
}
NEGATION = r"(?:no|not|never|dont|\w+n't|nunca|tampoco|nei|ikke|ikkje|aldri|nu|nu-\w+|n-\w+)"
# "I don't need it" is a reason for cancelling, and "you don't need to cancel" is none.
NEED = re.compile(r"\b(?:need\w*|want it|hace falta|necesit\w+|treng\w+|behov\w+|trebui\w*|nevoie)\b")
# A Spanish command with its pronoun behind it can't be negated: "no lo quiero cancélalo".
COMMAND = r"(?:a|ad|e|en|i|id)(?:lo|la|los|las|me|melo|mela)"
KEEP = re.compile(
    r"\b(?:keep|behold\w*|behald\w*|pastr\w+|quedo|quedarme\w*|conserv\w+|dejalo|dejadlo|lasa-o"
    r"|la den (?:sta|vare|ligge))\b"
)
BARE_NO = re.compile(rf"(?:\w+ )?(?:no|nope|nah|nei|nu)(?: \w+)?|{NEGATION}")
_PRONOUNS = (
    r"(?: (?:lo|la|los|las|me|se|te|os|o|il|le|imi|mai|please|ever|you|du|dere|skal|vil|a|te rog|va rog))*"
)
_WISHES = (
    r"(?: (?:want|wish)(?: (?:you|it|them|this))?(?: to)?| wanna| (?:quiero|queria|deseo)(?: que)?"
    r"| (?:vayas|vayais|voy) a| (?:vreau|doresc) sa)?"
)


def decided(kind: str, message: str) -> bool | None:
    """What a message answers to "shall I request it?": yes, no, or None when it could be either."""
    verdicts, negated, bare_no, kept = set(), False, False, False
    for clause in _clauses(message):
        verdicts.add(_verdict(kind, clause))
        no = bool(re.search(rf"(?<![\w'-]){NEGATION}(?![\w'-])", clause))
        negated |= no
        bare_no |= bool(BARE_NO.fullmatch(clause))
        kept |= bool(KEEP.search(clause)) and not no
    said = verdicts - {None}
    if kept or said == {"refused"}:
        return None if "wanted" in said else False
    if said == {"wanted"}:
        return None if bare_no else True
    if said:
        return None
    return (False if bare_no else None) if negated else True


def speaks_of_it(kind: str, message: str) -> bool:
    """Whether what is to be requested is named in the message, or that it is not needed any more."""
    return any(_verdict(kind, clause) or NEED.search(clause) for clause in _clauses(message))


def is_bare_verb(kind: str, message: str) -> bool:
    """Whether nothing but the verb is said, without what it is about: "cancel", but not "cancélalo"."""
    plain = fold(message).strip(" .!")
    return bool(re.fullmatch(rf"(?:{VERBS[kind]})\w*", plain)) and not re.search(rf"{COMMAND}$", plain)


def keeps(message: str) -> bool:
    """Whether all shall stay as it is, in words of its own: "no, keep it"."""
    clauses = _clauses(message)
    return any(KEEP.search(clause) and not re.search(rf"\b{NEGATION} ", clause) for clause in clauses) or any(
        BARE_NO.fullmatch(clause) and KEEP.search(clause) for clause in clauses
    )


def _verdict(kind: str, clause: str) -> str | None:
    """How a clause speaks of the verb: wanted, refused, unsure, or not at all."""
    verb = rf"\b(?:{VERBS[kind]})\w*"
    if not re.search(verb, clause):
        return None
    if not re.search(rf"(?<![\w'-]){NEGATION}(?![\w'-])", clause):
        return "wanted"
    if NEED.search(clause) or re.search(rf"\b(?:{VERBS[kind]}){COMMAND}\b", clause):
        return "unsure"
    before = rf"(?<![\w'-]){NEGATION}{_PRONOUNS}{_WISHES}{_PRONOUNS} {verb}"
    after = rf"{verb}(?: \w+){{0,2}} (?:ikke|ikkje)(?: (?:likevel|na|takk|enna|enda))?$"
    return "refused" if re.search(before, clause) or re.search(after, clause) else "unsure"


def _clauses(message: str) -> list[str]:
    plain = fold(message.replace("’", "'"))
    parts = re.split(r"[,.;:!?…\n()]+|\s(?:and|but|so|y|pero|og|men|si|dar|asa ca|asi que)\s", plain)
    return [clause for part in parts if (clause := " ".join(re.findall(r"[\w'-]+", part)))]
