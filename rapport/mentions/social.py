"""Text as people write it in public, made alike before anything learns from it."""

from __future__ import annotations

import re
import unicodedata

MAX_CHARS = 2000
ADDRESS, NAME = "webaddress", "atname"

_ADDRESS = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_NAME = re.compile(r"(?<![\w@])@\w[\w.-]*(?:@[\w.-]+)?")
_HASHTAG = re.compile(r"[#＃](\w+)")
_JOINTS = re.compile(r"(?<=[a-zà-öø-ÿăâîșț])(?=[A-ZÀ-ÖØ-ÞĂÂÎȘȚ])|_|(?<=\D)(?=\d)")
_REPEATED = re.compile(r"(\D)\1{2,}")
_REPEATED_MARK = re.compile(r"([?!])(?:\s*\1)+")
_TOKEN = re.compile(r"\w+(?:'\w+)?|[?!]|\.{2,}|…|[:;=]-?[()DPp/|]|<3|[^\w\s.,;:()\"'«»„”“’—–*\[\]{}<>/\\|_-]")
# Letters that take no mark apart, as people without the right keyboard write them.
_PLAIN = str.maketrans({"ø": "o", "æ": "ae", "å": "a", "ß": "ss", "đ": "d", "ł": "l", "ı": "i"})

# What an emoji says of the mood, whatever the language. Those that say nothing alone (📦, 🙃) are not here.
MOODS = {
    "moodangry": "😡🤬😠👿💢😤🖕",
    "moodsad": "😭😢😞😔😟🙁☹😩😫😖💔😿😥",
    "moodbad": "👎🤮🤢💩🗑🚫❌⛔🤡🤦🙄😒🚨",
    "moodwonder": "🤔🧐🤨😕😬🫤🤷😐❓🫣",
    "moodglad": "😊🥰😍😀😃😄😁🤩😇☺🙂😻🤗🥳😋😘💃",
    "moodlove": "❤🧡💛💚💙💜🖤🤍🤎💕💖💗💓💞💝💘🫶♥",
    "moodcheer": "👍👏🙌💪🎉🎊⭐🌟✨💯🏆👌🥇🔝🙏🤝",
}
_MOOD_OF = {emoji: mood for mood, emojis in MOODS.items() for emoji in emojis}
_SMILES = {
    ":)": "moodglad",
    ":D": "moodglad",
    ":P": "moodglad",
    "<3": "moodlove",
    ":(": "moodsad",
    ":/": "moodwonder",
}


def fold(text: str) -> str:
    """Small letters without marks (å and ș as a and s): half of those who write in public leave them out."""
    apart = unicodedata.normalize("NFKD", text.lower().translate(_PLAIN))
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def tokens(text: str) -> list[str]:
    """The words, marks and emoji of a text, made alike. Empty for a text that has none of them.

    Addresses and names become one word each, hashtags are split (#WheresMyOrder), a letter repeated for
    emphasis stands twice, digits are 0, and beside an emoji stands its mood.
    """
    text = unicodedata.normalize("NFC", text[:MAX_CHARS]).replace("\ufe0f", "").replace("’", "'")
    text = _NAME.sub(f" {NAME} ", _ADDRESS.sub(f" {ADDRESS} ", text))
    text = _HASHTAG.sub(lambda tag: f" {_JOINTS.sub(' ', tag[1])} ", text)
    text = _REPEATED.sub(r"\1\1", text)
    text = _REPEATED_MARK.sub(r"\1\1", text)
    found = []
    for token in _TOKEN.findall(text):
        found.append(re.sub(r"\d+", "0", fold(token)) or token)
        if mood := _MOOD_OF.get(token) or _SMILES.get(token.replace("-", "").replace("=", ":")):
            found.append(mood)
    return found
