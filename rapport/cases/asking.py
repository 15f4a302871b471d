"""What customers write of their cases: "what happened to my complaint?", "it is still broken". Pure.

A message asks after a case when the words for asking and for the case stand close together, and it is short:
whoever tells a story complains.
"""

from __future__ import annotations

import re

from rapport.shop.phrases import fold

MOST_WORDS = 20


def _any_of(*languages: str) -> str:
    """One expression of several languages' words; spaces around `|` are for reading only."""
    return "(?:" + "|".join(re.sub(r"\s*\|\s*", "|", words) for words in languages) + ")"


_COMPLAINT = _any_of(
    r"complaints? | claim | grievance",
    r"queja | reclamacion\w*",
    r"klage\w* | reklamasjon\w*",
    r"reclamati\w* | plangere\w* | sesizare\w*",
)
_ANY = _any_of(
    r"requests? | enquiry | inquiry | ticket | case",
    r"solicitud\w* | peticion | incidencia | caso",
    r"foresporsel\w* | henvendelse\w* | saken?",
    r"cererea? | solicitarea? | caz(?:ul)?",
)
_ASKING = _any_of(
    r"what (?:has )?(?:happened|happens|became|is happening|came)(?: (?:to|with|of))? | what about | status",
    r"state of | any (?:news|updates?|progress|answer|decision) | (?:updates?|news) (?:on|about|of)",
    r"how far (?:are you|is|along) | how is | hows | follow(?:ing)? up | where (?:is|are) (?:we|you) with",
    r"heard (?:nothing|back) | decided (?:on|about) | looked (?:at|into)",
    r"que (?:ha pasado|paso|pasa|hay|fue) (?:con|de) | estado de | en que (?:estado|punto) esta | como va",
    r"novedad(?:es)? | noticias | seguimiento | habeis decidido | han decidido | respuesta",
    r"hva (?:skjedde|skjer|har skjedd|ble det|blir det|med)(?: (?:med|av))? | noe nytt | nytt (?:om|i|fra)",
    r"nyheter | hvordan gar det med | hvor langt | har dere (?:sett pa|avgjort|bestemt|behandlet) | svar pa",
    r"oppdatering | ce s[ -]?a (?:intamplat|ales)(?: (?:cu|de))? | ce se (?:intampla|aude) cu | stadiul",
    r"in ce stadiu | vreo (?:noutate|veste) | noutati | cum (?:merge|stam|sta) cu | raspuns",
    r"ati (?:decis|rezolvat|analizat)",
)
_SETTLED = _any_of(
    r"(?:been )?(?:resolved|solved|settled|decided|dealt with|looked at|processed|answered)",
    r"resuelt[ao] | decidid[ao]",
    r"avgjort | behandlet | lost | ferdig",
    r"rezolvat\w* | decis\w* | analizat\w*",
)
_AGAIN = re.compile(
    r"\b"
    + _any_of(
        r"still | again | same (?:problem|thing|trouble|fault)",
        r"not (?:been )?(?:solved|resolved|fixed|settled|mended)",
        r"sigue\w* | todavia | aun | otra vez | de nuevo | mism[oa] (?:problema|averia)",
        r"no (?:esta|se ha|han?) (?:resuelto|solucionado|arreglado)",
        r"fortsatt | fremdeles | igjen | enna | enda | samme (?:problem\w*|feil\w*)",
        r"ikke (?:lost|ordnet|reparert|i orden)",
        r"tot (?:nu|e|este|asa|la fel|stricat\w*|nefunctional\w*) | inca | din nou | iarasi?",
        r"aceeasi problema | nu (?:e|este|s[ -]?a) (?:rezolvat|reparat)",
    )
    + r"\b"
)


def _near(things: str) -> re.Pattern[str]:
    """Asking, then the case, with hardly a word between; or the case, and then asking."""
    few = r"(?:\W+\w+){0,3}?\W+"
    return re.compile(rf"\b{_ASKING}{few}{things}\b|\b{things}{few}(?:{_ASKING}|{_SETTLED})\b")


_AFTER_COMPLAINT = _near(_COMPLAINT)
_AFTER_ANY = _near(_ANY)


def asks_after(text: str) -> tuple[str, ...]:
    """The kinds of cases that a message asks after; none where it asks after none."""
    line = fold(text).replace("’", "'")
    if text.startswith("/") or len(line.split()) > MOST_WORDS:
        return ()
    if _AFTER_COMPLAINT.search(line):
        return ("complaint",)
    return ("complaint", "request", "callback") if _AFTER_ANY.search(line) else ()


def says_again(text: str) -> bool:
    """Whether a complaint says that something goes on: "it is still broken"."""
    return bool(_AGAIN.search(fold(text)))
