"""Which language a customer's message is in. Pure: the same text gives the same answer."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import Any

from py3langid.langid import MODEL_FILE, LanguageIdentifier

# Norwegian has two written forms; whoever writes nynorsk is answered in bokmål.
LABELS = {"en": "en", "es": "es", "no": "nb", "nn": "nb", "ro": "ro"}

# On one or two words no detector is right more than four times in five; these are unmistakable. Words that
# people of any language write ("ok", "hello", "thanks"), or that mean something in another one ("cat",
# "mal", "mine"), are left out. Without diacritics, because many leave them out.
_WORDS = {
    "es": """
        hola gracias buenas buenos adios vale saludos perdon porfa olvidalo dejalo luego bien muy pero
        holaa holi wenas nada tampoco nunca
        que como donde cuando cuanto cuanta cuantos cuantas cual cuales quien por para los mis vuestra vuestro
        quiero quisiera necesito tengo tienes teneis tienen puedo puedes eres estoy esta gustaria
        prefiero busco
        ayuda ayudame hablar hablas alguien humano aqui ahora hoy otra otro
        pedido pedidos paquete envio envios entrega seguimiento devolucion devoluciones reembolso reembolsos
        cuenta contrasena direccion correo correos codigo datos puntos descuento descuentos precio
        pago pagar tarjeta
        facturas compra compras comprar cancelar anular cambiar borrar eliminar crear registrarme
        suscripcion boletin
        queja reclamacion telefono horario idioma espanol ingles tienda mochila botas campana perfil registro
        arroba ofertas cupones rebajas promociones historial teneis vendeis enviais aceptais
    """,
    "nb": """
        hei heisann hallais takk tusen takker hallo nei neida niks morn morgen goddag hadet farvel
        snakkes sees beklager unnskyld greit kult supert fint flott stopp avbryt glem hjelp hjelpen
        hjelpe hvor hva hvordan hvorfor hvem hvilke hvilken hvilket hvis jeg meg deg dere deres det
        dette ikke noe noen ingen ingenting aldri gjerne mitt ditt og har skal trenger ønsker liker
        elsker lurer skjønner forstar eg ikkje kva kvar korleis æ hæ ordre ordren ordrer bestilling
        bestillingen bestillinger bestille bestilte pakke pakken pakka sporing spore kommet levering
        leveringstid leveringsadresse frakt frakten betaling betale koster faktura fakturaen
        kvittering refusjon refusjonen pengene returnere bytte angre rabatt rabatter rabatten
        rabattkode kupong tilbud poeng poengene poengsaldo koden kundeklubb kundeklubben medlem medlemskap
        konto kontoen bruker profilen passord passordet adressen opplysningene opplysninger e-post
        epost eposten mailen nyhetsbrev nyhetsbrevet avmelding pamelding melde endre endring
        oppdatere redigere registrere opprette slette slett avbestille avbestill avbestilling
        kansellere kanseller kjøp kjøpe kjøpt klage klager reklamasjon ødelagt mangler misfornøyd
        menneske snakke snakker ringe kundeservice apningstider apent telefonnummer butikken sprak
        norsk engelsk spansk rumensk meny telt teltet sovepose soveposer soveposen ryggsekk
        ryggsekker sekken jakke jakka skoene fjellsko vervekode verve venn venner anmeldelse omtale
        tilbakemelding forrige siste tidligere
    """,
    "ro": """
        buna salut salutare servus multumesc mersi scuze revedere seara noapte ziua bine bun sigur desigur
        neata slt ceau deloc nimic lasa renunt gata frumos foarte multumim
        nu ce cum unde cand cine cate cati pentru pe meu mea mele mei esti sunt aveti puteti poti vreau vrea
        doresc dori trebuie imi rog acum azi dupa inca inapoi
        ajutor ajuta-ma arata-mi vorbesc vorbesti vorbiti cineva limba romana engleza spaniola norvegiana
        comanda comenzi comenzile comenzilor colet coletul livrare livrarea curierul rambursare rambursarea
        cont contul contului parola adresa datele banii puncte punctele punctelor reducere reduceri
        pret pretul
        plati platesc anulare anulez schimb schimbare modificare sterge stergere inregistrare creare inchidere
        abonare abonez dezabonare dezabonez plangere reclamatie geaca cort cortul corturi rucsac
        rucsacul bocanci
        arond punct oferte cupoane recenzie vindeti livrati acceptati trimite trimite-mi retrimite
        prieten prieteni
        profilul clubul programul clienti istoricul
    """,
    "en": """
        please the what what's where where's wheres when why who how which you your you're my i'm
        i'd it's that's want need can can't cant could would should does doesn't doesnt did didn't
        don't dont isn't haven't with about this something anything nothing everything someone
        anyone somebody anybody again still yet forget forgot goodbye english spanish norwegian
        romanian language speak talk human order orders parcel package packages track delivery
        shipping refund refunds invoice receipt payment pay points account password address
        unsubscribe subscribe cancellation purchase purchases buy bought complaint broken missing
        wrong phone opening hours membership balance tent backpack sleeping jacket
    """,
}
UNMISTAKABLE = {language: frozenset(words.split()) for language, words in _WORDS.items()}
# "å" and "ø" are in names of places and products, so they prove nothing.
LETTERS = {"es": frozenset("ñ¿¡"), "ro": frozenset("ășțşţ")}
FEW_WORDS = 2
# The beginning of a message tells enough; the time of some expressions grows with its square.
MAX_CHARS = 1000
# From how many words, and how sure, another language than the conversation's is believed …
SURE = {3: 0.8, 4: 0.7, 5: 0.6}
# … and the same when the customer has asked for the conversation's language.
CHOSEN_WORDS, CHOSEN_SURE = 5, 0.97
# An unmistakable word outweighs the detector, unless it is this sure of another language.
OUTWEIGHED = 0.9

# Code has English words, and a Norwegian "function" or Spanish "total" is no Norwegian or Spanish.
_CODE = re.compile(
    r"[{}]|```|=>|&&|;\s*--|\w\(\)|\w\(['\"]|\w\.\w+\(|</?[A-Za-z]\w*[\s/>]|<[%!?]"
    r"|\b(?:SELECT\s.{1,80}\sFROM|INSERT\s+INTO|DELETE\s+FROM|UPDATE\s+\w+\s+SET|DROP\s+TABLE|UNION\s+SELECT)\b"
    r"|\b[Ss]elect\s+\*|^\s*/\w+_\w+"
)
_NOT_WORDS = re.compile(r"\S+@\S+|https?://\S+|www\.\S+|\S*\d\S*|[^\w\s'’-]|_")


def follow(text: str, current: str, chosen: bool = False, names: Iterable[str] = ()) -> str:
    """The language to answer `text` in, given the conversation's `current` one.

    `chosen`: the customer asked for the current one. `names` (of products) in the text say nothing of its
    language. When in doubt the current language stays, and so it does after code and markup.
    """
    text = text[:MAX_CHARS]
    if _CODE.search(text):
        return current
    for name in names:
        text = text.replace(name, " ")
    words = _NOT_WORDS.sub(" ", text).split()
    told = _by_word(text, words)
    if len({word.lower() for word in words}) <= FEW_WORDS:  # "no no no" is one word
        return current if chosen else told or current
    language, sure = _most_likely(" ".join(words))
    if told is not None and not chosen and (told == language or sure < OUTWEIGHED):
        return told
    if language == current:
        return current
    if chosen:
        return language if len(words) >= CHOSEN_WORDS and sure >= CHOSEN_SURE else current
    return language if sure >= SURE[min(len(words), max(SURE))] else current


def _by_word(text: str, words: list[str]) -> str | None:
    """The only language whose unmistakable words or letters occur."""
    said = {_plain(word) for word in words}
    letters = set(text.lower())
    found = {language for language, known in UNMISTAKABLE.items() if said & known}
    found |= {language for language, known in LETTERS.items() if letters & known}
    return found.pop() if len(found) == 1 else None


def _plain(word: str) -> str:
    """In lower case without diacritics."""
    parts = unicodedata.normalize("NFKD", word.lower())
    return "".join(part for part in parts if not unicodedata.combining(part))


def _most_likely(text: str) -> tuple[str, float]:
    """The likeliest of our languages and how likely it is (0 to 1)."""
    likely: dict[str, float] = {}
    # Lower-case: a sentence in capitals is in the same language.
    for label, probability in _identifier().rank(text.lower()):
        language = LABELS[label]
        likely[language] = likely.get(language, 0.0) + float(probability)
    best = max(likely, key=lambda language: likely[language])
    return best, likely[best]


@cache
def _identifier() -> Any:
    identifier: Any = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)  # type: ignore[no-untyped-call]
    identifier.set_languages(list(LABELS))
    # It keeps the hundred other languages for a later `set_languages`: 28 MB that nobody here asks for.
    identifier._full_model = (identifier.nb_ptc, identifier.nb_pc, identifier.nb_classes)
    return identifier


def warm_up() -> None:
    """Loads the model (half a second), so that the first message need not wait."""
    _most_likely("hello")
