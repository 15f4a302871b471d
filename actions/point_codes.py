"""Points turned into a code: how many, is that so, and the code. The form is that of all requests."""

from __future__ import annotations

from actions import words
from actions.base import Button, Event, Turn
from actions.coupons import amount, show_card
from actions.terms import terms
from rapport.conversations.point_amounts import wanted
from rapport.kit.errors import ConflictError, InvalidInputError
from rapport.loyalty.offers import rules
from rapport.loyalty.offers import service as offers
from rapport.loyalty.offers.rulebook import get_rulebook
from rapport.loyalty.points import service as ledger
from rapport.loyalty.points.service import NotEnoughPointsError

KIND = "redeem_points"
LONGEST_TITLE = 24


def hindered(turn: Turn, customer_id: int) -> bool:
    """Whether no points can be turned into a code now; if so, says why."""
    if offers.redeemable_points(turn.session, customer_id):
        return False
    found = ledger.statement(turn.session, customer_id)
    rule = get_rulebook().points
    if rule is None or found.available >= rule.minimum:
        turn.say("utter_points_no_codes")
    elif not found.available and not found.pending:
        turn.say("utter_points_none")
    else:
        # Also those that are only on their way: "you have 0" alone would be no explanation.
        turn.say(
            "utter_points_too_few",
            minimum=words.points(rule.minimum, turn.language),
            points=words.points(found.available, turn.language),
            missing=words.points(rule.minimum - found.available, turn.language),
        )
    return True


def chosen(turn: Turn, customer_id: int, text: str) -> str | None:
    """How many points a message or button names, as this customer can use them; None when it names none, or
    more than there are, which is said.
    """
    rule = get_rulebook().points
    most = offers.redeemable_points(turn.session, customer_id)
    named = turn.named("points") if text.startswith("/") else None
    number = wanted(str(named) if named is not None else text)
    if rule is None or number is None or not most:
        return None
    available = ledger.balance(turn.session, customer_id)
    if number == "all":
        return str(most)
    asked = max(available // 2, rule.minimum) if number == "half" else number
    usable = rules.whole_steps(asked, rule.minimum, rule.step)
    if asked > available or usable > most:
        turn.say(
            "utter_points_too_many",
            asked=words.points(asked, turn.language),
            points=words.points(available, turn.language),
        )
        return None
    if not usable:
        turn.say("utter_points_below", minimum=words.points(rule.minimum, turn.language))
        return None
    if usable != asked and number != "half":
        turn.say("utter_points_in_steps", usable=words.points(usable, turn.language))
    return str(usable)


def ask(turn: Turn, customer_id: int) -> None:
    """How many, with what there is and buttons for some of it, half and all."""
    available = ledger.balance(turn.session, customer_id)
    turn.say(
        "utter_request_details_redeem_points",
        buttons=_amounts(turn, customer_id),
        points=words.points(available, turn.language),
        value=amount(turn, offers.points_worth(available)),
    )


def confirm(turn: Turn) -> None:
    """What so many points give, before they are gone."""
    points = int(turn.slot("request_details") or 0)
    turn.say(
        "utter_request_confirm_redeem_points",
        points=words.points(points, turn.language),
        value=amount(turn, offers.points_worth(points)),
    )


def give(turn: Turn, customer_id: int) -> list[Event]:
    """Takes the points and says the code they became; the same message gives the same code again."""
    points = int(turn.slot("request_details") or 0)
    try:
        with turn.session.begin_nested():  # both or neither
            code = offers.redeem_points(turn.session, customer_id, points, key=turn.message_key)
    except NotEnoughPointsError:
        turn.say(
            "utter_points_too_many",
            asked=words.points(points, turn.language),
            points=words.points(ledger.balance(turn.session, customer_id), turn.language),
        )
    except (ConflictError, InvalidInputError):
        turn.say("utter_points_no_codes")
    else:
        turn.say(
            "utter_points_code",
            points=words.points(points, turn.language),
            code=code.code,
            value=amount(turn, code.amount_minor),
            terms=terms(code, turn.language),
            left=words.points(ledger.balance(turn.session, customer_id), turn.language),
        )
        return show_card(turn, code.code, code.expires_at)
    return []


def _amounts(turn: Turn, customer_id: int) -> list[Button]:
    """The least, half and all that can be used now, each once."""
    rule = get_rulebook().points
    most = offers.redeemable_points(turn.session, customer_id)
    if rule is None or not most:
        return []
    half = rules.whole_steps(most // 2, rule.minimum, rule.step)
    numbers = sorted({number for number in (rule.minimum, half, most) if number})
    titles = ((words.points(number, turn.language)[:LONGEST_TITLE], number) for number in numbers)
    return [(title, f'/{KIND}{{"points":"{number}"}}') for title, number in titles]
