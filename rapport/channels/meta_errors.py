"""What the error codes of Meta's Graph API mean for a message, for WhatsApp and for Messenger.

Codes are stable and documented; the sentences beside them are not, and may quote numbers. So only codes are
looked at, and what is kept and logged are our own words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rapport.channels.base import RefusedError, TryAgainError
from rapport.channels.rules import CAPPED_FOR

# A person gets at most one message every six seconds from a number, once a first burst is over.
PAIR_PAUSE = 6.0


@dataclass(frozen=True)
class Meaning:
    """What an error says.

    `again`: it may be sent later, `after` seconds from now if Meta said so. `channel`: it is the same for
    everyone. `ours`: not before somebody mends our account, token or settings. `gone`: the person cannot be
    reached any more. `capped`: Meta holds back advertising to them.
    """

    reason: str
    again: bool = False
    channel: bool = False
    ours: bool = False
    gone: bool = False
    capped: bool = False
    after: float | None = None

    def exception(self, label: str, after: float | None = None) -> RefusedError | TryAgainError:
        """What `send` raises; `label` is the code, `after` what the answer's headers said."""
        reason = f"{label}: {self.reason}"
        if self.again or self.ours:
            return TryAgainError(reason, self.after if after is None else after, self.channel or self.ours)
        return RefusedError(reason, self.gone)


def refused(reason: str) -> Meaning:
    return Meaning(reason)


def gone(reason: str) -> Meaning:
    return Meaning(reason, gone=True)


def later(reason: str, after: float | None = None) -> Meaning:
    return Meaning(reason, again=True, after=after)


def busy(reason: str) -> Meaning:
    return Meaning(reason, again=True, channel=True)


def ours(reason: str) -> Meaning:
    return Meaning(reason, ours=True)


# (code, subcode), or a code whatever its subcode.
Table = Mapping[int | tuple[int, int], Meaning]

TOKEN = ours("Meta does not take our access token, or it lacks a permission")
TOO_MUCH = busy("we sent too much")
DOWN = busy("Meta has trouble")
WRONG = refused("Meta does not take this message")
WINDOW = refused("they have not written for too long")

COMMON: Table = {
    0: TOKEN,
    2: DOWN,
    3: TOKEN,
    4: TOO_MUCH,
    10: TOKEN,
    17: TOO_MUCH,
    32: TOO_MUCH,
    102: TOKEN,
    190: TOKEN,
    341: TOO_MUCH,
    368: ours("Meta has restricted the account"),
    613: TOO_MUCH,
}

WHATSAPP: Table = {
    33: ours("the number's id is wrong, or the number was deleted"),
    80007: TOO_MUCH,
    130429: TOO_MUCH,
    130472: refused("Meta tries out what happens without advertising to them"),
    130497: refused("messages to their country are not allowed"),
    131000: later("Meta did not say what went wrong"),
    131005: TOKEN,
    131016: DOWN,
    131021: gone("it is our own number"),
    131026: gone("their number is not on WhatsApp, or takes no messages from us"),
    131030: refused("a test number writes to those on its list only"),
    131031: ours("Meta has locked the account"),
    131037: ours("the number's display name is not approved yet"),
    131042: ours("the account's payment method does not work"),
    131045: ours("the number is not registered properly"),
    131047: WINDOW,
    131048: busy("too many of our messages were reported as spam"),
    131049: Meaning(
        "they got much advertising lately", again=True, capped=True, after=CAPPED_FOR.total_seconds()
    ),
    # Their answers still reach them: only advertising does not.
    131050: refused("they want no advertising from us on WhatsApp"),
    131053: refused("Meta cannot fetch the picture"),
    131056: later("too many messages to one person", PAIR_PAUSE),
    131057: busy("the account is being maintained"),
    131062: refused("this cannot be sent to somebody who hides their number"),
    131064: busy("we reached our limit of messages"),
    132000: refused("the template has another number of parameters"),
    132001: refused("there is no such template in this language, or it is not approved"),
    132007: refused("the template breaks a rule of WhatsApp's"),
    132012: refused("a parameter of the template has the wrong form"),
    132015: refused("the template is paused: people did not like it"),
    132016: refused("the template is switched off: people did not like it"),
    133010: ours("the number is not registered with the Cloud API"),
}

MESSENGER: Table = {
    # Said of somebody who blocked us as well.
    2: later("Meta did not say what went wrong"),
    (10, 2018065): WINDOW,
    (10, 2018108): gone("they take no messages from us"),
    (10, 2018278): WINDOW,
    (100, 2018001): gone("there is nobody with this id"),
    (200, 1545041): gone("they take no messages from us"),
    551: gone("they take no messages from us, or are gone"),
    1200: later("Meta did not say what went wrong"),
    80006: TOO_MUCH,
}


# Of comments on the page's posts, and of the one private message that each may be answered with.
COMMENTS: Table = {
    (100, 33): refused("there is no such comment any more, or our access token may not see it"),
    100: refused("Meta does not take this answer"),
    # Said of comments that were answered privately before, or a week ago.
    10900: refused("this was answered privately already"),
    551: refused("they take no messages from us"),
    (10, 2018278): refused("it is too old for a private answer"),
    (100, 2018001): refused("it is too old for a private answer, or not there any more"),
    1705: refused("Meta takes no answers to this"),
    80001: TOO_MUCH,
    80006: TOO_MUCH,
}


def meaning(table: Table, code: int | None, subcode: int | None, status: int, transient: bool) -> Meaning:
    """What an error of this code means; one that nobody knows, by its HTTP status."""
    if code is not None:
        for codes in (table, COMMON):
            found = codes.get((code, subcode or 0)) or codes.get(code)
            if found is not None:
                return found
        if 200 <= code <= 299:
            return TOKEN
    if status in (401, 403):
        return TOKEN
    if status == 429:
        return TOO_MUCH
    return DOWN if status >= 500 or transient else WRONG
