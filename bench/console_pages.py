"""Every page of the console and what bench/console.py asks of it: a route, and its queries by name.

A test compares the routes with those there are. What stands in braces is filled in with what is in the
database: `{conversation_id}` is an ordinary one, and so on; a query may name others in the same way.
"""

from __future__ import annotations

Queries = dict[str, dict[str, str]]

# What answers every request alike, or is no page at all.
LEFT_OUT = {
    "/live": "a stream that stays open",
    "/audit.csv": "a file as long as the log, sent as it is read",
    "/openid": "leads to the login provider",
    "/openid/back": "comes from the login provider",
    "/welcome": "is gone once there is an account",
    "/password": "needs a link that works once",
}
ONCE: Queries = {"": {}}
FILTERS: Queries = {
    "all": {"view": "0"},
    "channel (0.5 %)": {"channel": "messenger"},
    "language (10 %)": {"language": "ro"},
    "waiting for a person": {"status": "waiting"},
    "with a person, Romanian": {"status": "human", "language": "ro"},
    "intent, common": {"intent": "track_order"},
    "intent, nobody's": {"intent": "no_such_intent"},
    "less sure than 30 %": {"below": "0.3"},
    "less sure than 80 %": {"below": "0.8"},
    "not understood": {"missed": "1"},
    "open complaint": {"complaint": "1"},
    "open complaint, Spanish, SMS": {"complaint": "1", "language": "es", "channel": "sms"},
    "rating 1 or 2": {"rating": "low"},
    "segment": {"segment": "champions"},
    "segment, SMS, not understood": {"segment": "loyal", "channel": "sms", "missed": "1"},
    "tag": {"tag": "vip"},
    "mine": {"assignee": "me"},
    "nobody's, Messenger": {"assignee": "none", "channel": "messenger"},
    "last 7 days": {"days": "7"},
    "a day long ago": {"since": "2025-06-01", "until": "2025-06-01"},
    "one customer": {"customer": "17"},
}
SEARCHES: Queries = {
    "search: common word": {"q": "order"},
    "search: very common beginning": {"q": "de"},
    "search: hello": {"q": "hello"},
    "search: one letter": {"q": "e"},
    "search: rare word": {"q": "kalomireven"},
    "search: no such word": {"q": "xyzzyx"},
    "search: two words": {"q": "hvor pakken"},
    "search: words that don't meet": {"q": "pedido bestilling order"},
    "search: phrase": {"q": '"where is my order"'},
    "search: phrase that is not there": {"q": '"order my is"'},
    "search: common word, rare filter": {"q": "order", "status": "waiting"},
    "search: English word in Romanian": {"q": "order", "language": "ro"},
    "search: order number": {"q": "FJ-77"},
    "search: name": {"q": "kalo"},
    "search: e-mail": {"q": "p99@example.com"},
}
TABS = ("mine", "unassigned", "overdue", "open", "resolved")
YEAR = {"period": "custom", "first": "2025-09-16", "last": "2026-09-15"}
PAGES: dict[str, Queries] = {
    "/login": ONCE,
    "/forgot": ONCE,
    "/": ONCE,
    "/account": ONCE,
    "/waiting": ONCE,
    "/conversations": {**FILTERS, **SEARCHES},
    "/conversations/count": FILTERS,
    "/conversations/{conversation_id}": {
        "": {},
        "2,000 messages": {"conversation_id": "{long}"},
        "2,000 messages, older": {"conversation_id": "{long}", "before": "1000"},
    },
    "/conversations/{conversation_id}/messages": {"": {}, "all of 2,000": {"conversation_id": "{long}"}},
    "/customers": {
        "all": {},
        "segment": {"segment": "champions"},
        "stage": {"stage": "know"},
        "segment and stage": {"segment": "champions", "stage": "know"},
        "older": {"before": "1000"},
        "search: common beginning": {"q": "ka"},
        "search: name": {"q": "kalomire"},
        "search: nobody's": {"q": "xyzzyx"},
        "search: e-mail": {"q": "p99@example.com"},
        "search: order": {"q": "FJ-77"},
    },
    "/customers/{customer_id}": {"": {}, "400 orders": {"customer_id": "1"}},
    "/cases": {
        **{tab: {"tab": tab} for tab in TABS},
        "resolved, Romanian reviews": {"tab": "resolved", "kind": "review", "language": "ro"},
        "resolved, of a segment": {"tab": "resolved", "segment": "champions"},
        "resolved, a day long ago": {"tab": "resolved", "since": "2025-06-01", "until": "2025-06-01"},
    },
    "/cases/new": ONCE,
    "/cases/{case_id}": ONCE,
    "/mentions": {
        "all": {},
        "complaints": {"kind": "complaint"},
        "new": {"state": "new"},
        "nobody's source": {"source": "nowhere"},
        "taken back (none)": {"state": "gone"},
    },
    "/mentions/{mention_id}": ONCE,
    "/teaching": {"proposed": {}, "rejected (none)": {"status": "rejected"}},
    "/teaching/unclear": {"English": {"language": "en"}, "Norwegian": {"language": "nb"}},
    "/teaching/training": ONCE,
    "/teaching/training/progress": ONCE,
    "/teaching/runs/{run_id}": ONCE,
    "/insight": {
        **{f"{days} days": {"period": days} for days in ("7", "30", "90")},
        "month": {"period": "month"},
        "a year": YEAR,
        "a year, WhatsApp, Spanish": {**YEAR, "channel": "whatsapp", "language": "es"},
        "two years": {"period": "custom", "first": "2024-09-20", "last": "2026-09-15"},
    },
    "/insight/{key}.csv": {"talks, a year": {"key": "talks", **YEAR}},
    "/journeys": ONCE,
    "/journeys/{key}": {
        f"{key}, {days} days": {"key": key, "days": days}
        for key in ("thank_you", "win_back", "welcome")
        for days in ("90", "365")
    },
    "/journeys/{key}/steps.csv": {"": {"key": "win_back"}},
    "/journeys/{key}/edit": {"": {"key": "win_back"}},
    "/journeys/{key}/history": {"": {"key": "win_back"}},
    "/settings": ONCE,
    "/settings/{section}": {"": {"section": "delivery"}},
    "/settings/{section}/history": {"": {"section": "delivery"}},
    "/settings/replies": ONCE,
    "/settings/replies/new": ONCE,
    "/settings/replies/{reply_id}": ONCE,
    "/settings/replies/{reply_id}/history": ONCE,
    "/settings/offers": ONCE,
    "/settings/offers/{key}": {"": {"key": "welcome"}},
    "/settings/offers/{key}/copy": {"": {"key": "welcome"}},
    "/settings/offers/{key}/history": {"": {"key": "welcome"}},
    "/settings/answers": ONCE,
    "/settings/answers/{key}": {"": {"key": "place_order"}},
    "/settings/answers/{key}/history": {"": {"key": "place_order"}},
    "/staff": ONCE,
    "/audit": {
        "all": {},
        "person": {"staff": "4"},
        "action": {"action": "search"},
        "conversation": {"subject": "conversation", "subject_id": "{conversation_id}"},
        "a day long ago": {"since": "2025-06-01", "until": "2025-06-01"},
        "person, action, day": {"staff": "4", "action": "search", "since": "2025-06-01"},
        "nobody's action": {"action": "no such action"},
    },
}  # fmt: skip
