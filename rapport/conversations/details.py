"""What counts as having said what a request must tell: an address, new data, what happened. Pure."""

from __future__ import annotations

import re

from rapport.conversations import point_amounts
from rapport.conversations.addresses import has_postcode, is_whole, names_an_address, without_order_numbers
from rapport.conversations.requests import KINDS, WISHES
from rapport.conversations.rules import WORDS_OF_A_STORY
from rapport.shop.phrases import fold
from rapport.shop.rules import plain_number

# "No, I meant order 10002" only names an order; with more words beside the number, it says something of it.
WORDS_BESIDE_A_NUMBER = 4
SHORTEST_DETAILS = 3
WORDS_OF_NEW_DATA = 5

# Asked for details, a customer may answer with what is understood as some of these; the others are new.
MAY_DESCRIBE = {
    "story": {"change_order", "get_refund", "complaint"},
    "address": {"change_shipping_address", "set_up_shipping_address", "edit_account"},
    "data": {"edit_account", "change_shipping_address", "set_up_shipping_address"},
    "points": {"redeem_points"},
}
# Understood as nothing in particular, or as what is said while being asked: the words themselves decide.
NO_WISH = {"nlu_fallback", "out_of_scope"}
ANSWERS = {"inform_order_number", "inform_email", "inform_code", "inform_rating"}
# What somebody tells of an order is easily taken for one of these: "by now I bought another one in town".
SOUNDS_LIKE = {
    "change_order": {"ask_product", "ask_recommendation", "state_interest", "place_order", "reorder"},
    "get_refund": {
        *("ask_product", "review", "payment_issue", "delivery_period", "check_refund_policy", "reorder"),
        *("cancel_order", "place_order", "track_order"),
    },
}
SURE = 0.8
WORDS_OF_A_REMARK = 4
# Questions are often typed without their mark. "When I opened it …" is none.
QUESTION = re.compile(
    r"\W*(?:(?:and|hm+|but|so|y|e|pero|og|men|[sș]i|dar),? )?(?:what|which|how|where|why|who|is|are|do|does"
    r"|can|could|qu[eé] es|qué|cu[aá]l(?:es)?|cómo|d[oó]nde|quién|cu[aá]nt[oa]s?|hay|ten[eé]is|puedo"
    r"|pod[eé]is|hva|hvilken|hvilke|hvor|hvordan|hvorfor|hvem|har dere|finnes|kan (?:jeg|dere)"
    r"|ce|care|cum|unde|cine|c[aâ]t[aăie]?|ave[tțţ]i|pot|pute[tțţ]i)\b",
    re.IGNORECASE,
)
CODE = re.compile(r"[;{}<>=*]|--")
SIZE = re.compile(r"\b(?:X{0,3}[SL]|M)\b")
# Beside a product or a size, what shall become of it.
CHANGES = re.compile(
    r"\b(?:add|remov\w*|take out|without|instead|anad\w*|quit\w*|sin|en vez|en lugar|legg til|fjern\w*"
    r"|ta bort|uten|i stedet|adaug\w*|scoat\w*|fara|in loc)\b"
)
# "Sorry, I meant order 10002", without diacritics.
_NAMING = (
    "sorry no i meant mean order number the not that one it was wait but "
    "perdona perdon queria decir me referia a al el del pedido numero era es espera "
    "nei jeg mente mener ordre ordren bestilling bestillingen nummer beklager unnskyld ikke den det er var "
    "nu ma refeream la comanda scuze scuza am vrut sa spun cea cu numarul"
)
NAMING = frozenset(_NAMING.split())


def may_be_details(kind: str, intent: str, text: str, sure: float = 1.0) -> bool:
    """Whether a message understood as `intent`, as surely as `sure`, can be the details asked for.

    What has an intent of its own is a wish or question of its own, unless the words say otherwise.
    """
    needs = KINDS[kind].details
    if needs is None or intent in ANSWERS or intent == kind or intent in MAY_DESCRIBE[needs]:
        return True
    if needs == "address":
        if intent in NO_WISH:
            return not _is_question(text)  # whether it is an address is said by `usable`
        return names_an_address(text) or (has_postcode(text) and not _is_question(text))
    if needs == "points":
        return point_amounts.wanted(text) is not None
    if _is_question(text):
        return False
    if needs == "data":
        return intent not in WISHES and _has_new_data(text)
    told_something = len(text.split()) >= WORDS_OF_A_REMARK
    if intent in NO_WISH:
        return told_something or bool(SIZE.search(text) or re.search(r"\d", text))
    if intent in SOUNDS_LIKE.get(kind, ()):
        return intent not in WISHES or (told_something and sure < SURE)
    return False


def is_long(text: str) -> bool:
    """Whether it is long enough to tell something, however it is said."""
    return len(text.split()) >= WORDS_OF_A_STORY


def _is_question(text: str) -> bool:
    return text.rstrip().endswith("?") or bool(QUESTION.match(text))


def _has_new_data(text: str) -> bool:
    """A number, an address or a name."""
    return bool(re.search(r"[\d@]", text) or any(word[0].isupper() for word in text.split()[1:]))


def told(
    kind: str, message: str | None, number: str | None = None, names_a_product: bool = False
) -> str | None:
    """The details in the message that opened the request, if they are in it already.

    A description is told in ten words, or when a thing, a number or a size stands beside what shall become
    of it; a change of data when something new stands in it, an address when there is a street with its number
    and a place. Whoever said less is asked.
    """
    said = without_number(message or "", number)
    match KINDS[kind].details:
        case "story":
            enough = is_long(said) or (kind == "change_order" and _names_a_change(said, names_a_product))
        case "data":
            new = re.search(r"[\d@]", without_order_numbers(said)) and not CODE.search(said)
            enough = len(said.split()) >= WORDS_OF_NEW_DATA and bool(new)
        case "address":
            enough = names_an_address(said)
        case "points":
            enough = point_amounts.wanted(said) is not None
        case None:
            enough = False
    return message if enough else None


def _names_a_change(said: str, names_a_product: bool) -> bool:
    named = names_a_product or bool(re.search(r"\d", said) or SIZE.search(said))
    return named and bool(CHANGES.search(fold(said)))


def usable(kind: str, details: str) -> bool:
    """Whether what was answered to the question for details can be passed on."""
    text = details.strip()
    if len(text) < SHORTEST_DETAILS or not re.search(r"\w", text):
        return False
    if KINDS[kind].details == "address":
        return is_whole(text)
    return True


def only_names_an_order(message: str, number: str) -> bool:
    """Whether a message ("no, I meant 10002") does no more than name an order."""
    return len(without_number(message, number).split()) <= WORDS_BESIDE_A_NUMBER


def corrects_the_order(message: str, number: str) -> bool:
    """Whether "sorry, I meant order 10002" is all a message says, whatever it was understood as."""
    return set(re.findall(r"\w+", fold(without_number(message, number)))) <= NAMING


def without_number(message: str, number: str | None) -> str:
    """A message without the words an order number stands in."""
    wanted = re.sub(r"\D", "", number or "")
    if not wanted:
        return message
    return " ".join(word for word in message.split() if re.sub(r"\D", "", plain_number(word)) != wanted)
