"""By which words a name or a postal address is told, in four languages."""

from __future__ import annotations

import re

# A word of a name: "Ann", "O'Neill", "Jean-Luc", "María".
_PART = r"[^\W\d_]+(?:['’\-][^\W\d_]+)*"
_CAPITAL = r"[A-ZÀ-ÖØ-ÞȘȚĂÂÎŞŢ][^\W\d_]*(?:['’\-][^\W\d_]+)*"
_CAPITALS = rf"{_CAPITAL}(?: (?:de |del |la |von |van |af )?{_CAPITAL}){{0,3}}"
# What goes on after a name that somebody typed without capitals.
_GOES_ON = (
    r"and|but|i|im|my|is|on|from|at|with|the|in|for|not|can|or|here|please|pls|where|what"
    r"|y|e|pero|mi|quiero|necesito|en|con|de|no|es|el|la|que|por|aquí|aqui|gracias|dónde|donde"
    r"|og|men|jeg|har|er|på|fra|med|i|vil|hvor|ikke|kan|takk|her"
    r"|și|si|dar|eu|am|vreau|din|cu|la|nu|este|aș|as|unde|mulțumesc"
)
# Without capitals, up to three words until the sentence goes on.
_TYPED = rf"{_PART}(?: (?!(?:{_GOES_ON})\b){_PART}){{0,2}}"
_SAID = (
    r"my (?:full )?name is|my name['’]s|my name:|i am called|i['’]m called"
    r"|name on (?:the )?(?:order|account) is"
    r"|me llamo|mi nombre(?: completo)? es|mi nombre:|a nombre de"
    r"|jeg heter|eg heiter|mitt (?:fulle )?navn er|navnet mitt er|navnet er|navn:"
    r"|m[ăa] numesc|numele meu(?: complet)? (?:este|e)|numele meu:|m[ăa] cheam[ăa]|pe numele(?: de)?"
)
# Only before capitals: "I'm Ann", not "I'm looking for".
_MAYBE = r"this is|i am|i['’]m|call me|soy|ll[áa]mame|habla|det er|sunt|eu sunt|aici|spune-mi"
_TITLE = r"mr\.?|mrs\.?|ms\.?|miss|dr\.?|sr\.?|sra\.?|señora?|don|doña|herr|fru|dl\.?|dna\.?|domnul|doamna"
_ENDING = (
    r"(?:best|kind|warm)(?: regards| wishes)?|regards|yours(?: sincerely| truly)?|cheers|sincerely"
    r"|(?:un )?salud[oa]s?(?: cordial(?:es)?)?|atentamente|un abrazo"
    r"|(?:med )?(?:vennlig|beste) hilsen|mvh\.?|hilsen"
    r"|cu (?:stim[ăa]|respect|drag)|o zi bun[ăa]|numai bine"
)
# No names, though they begin with a capital: languages, peoples, first words of a sentence.
_NO_NAME = (
    r"(?:English|Spanish|Norwegian|Romanian|Swedish|Danish|Sorry|Not|Very|The|A|An|So|Just|Still|Looking|OK|Okay"
    r"|Español|Española|Noruego|Cliente|Nuevo|Nueva|De|Yo|Nu|Foarte|Ikke|Bare|Den|Det|Noe|Fjordly)\b"
)
NAME = re.compile(
    rf"\b(?i:{_SAID})[ :]+(?P<said>{_CAPITALS}|(?!(?:{_GOES_ON})\b){_TYPED})"
    rf"|\b(?i:{_MAYBE}) (?!{_NO_NAME})(?P<maybe>{_CAPITALS})"
    rf"|\b(?i:{_TITLE}) (?P<title>{_CAPITALS})"
    rf"|\b(?i:{_ENDING})[,.!]?\s+(?P<ending>{_CAPITALS})\s*[.!]?\s*$",
)

_NUMBER = r"\d{1,4}(?: ?[a-zA-Z](?!\w))?"
_WORDS = r"(?:[^\W\d_][\w.'’\-]*,? ){1,5}?"
_TOWN = rf"(?:,? (?:[A-Z]{{1,2}}-)?\d{{4,6}}(?: {_CAPITAL}){{0,2}})?"
ADDRESS = re.compile(
    # 12 Baker Street, Flat 4
    rf"\b{_NUMBER} (?:{_CAPITAL} ){{1,3}}(?i:street|st|road|rd|avenue|ave|lane|ln|drive|way|close|court"
    rf"|square|boulevard|blvd|terrace|place|crescent|gardens)\b\.?"
    rf"(?:,? (?i:flat|apt\.?|apartment|unit) \w{{1,5}})?"
    rf"{_TOWN}"
    # Calle Mayor 5, 3º B
    rf"|\b(?i:calle|c/|avenida|avda\.?|av\.|plaza|paseo|carrer|camino de|carretera de) ?{_WORDS}"
    rf"(?:(?i:nº|n\.º|núm\.?|número) ?)?{_NUMBER}(?:, ?\d{{1,2}}\s?º(?: ?[A-Za-z](?!\w))?)?{_TOWN}"
    # Storgata 5B, 0184 Oslo
    rf"|\b[^\W\d_]+ ?(?i:gata|gaten|gate|veien|vegen|vei|veg|plassen|allé|alleen|bakken|stien|svingen|kroken)"
    rf" {_NUMBER}(?!\s?(?:kr|km|kg|m)\b){_TOWN}"
    # Str. Lungă nr. 5, bl. 3, sc. A, ap. 12
    rf"|\b(?i:strada|str\.?|bulevardul|bd\.?|b-dul|aleea|calea|piața|piata|șoseaua|soseaua|șos\.) {_WORDS}"
    rf"(?:(?i:nr\.?|numărul|numarul) ?)?{_NUMBER}(?:,? ?(?i:bl|sc|et|ap)\.? ?\w{{1,4}}\b)*{_TOWN}"
)
