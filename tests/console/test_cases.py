"""The pages of cases: who sees what, what is done with a case, and the way of one through a browser."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select

from rapport.cases import repository
from rapport.cases.models import Case
from rapport.conversations import service as conversations
from rapport.conversations.models import Conversation, Message
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.staff.models import AuditEvent
from tests.browser import assert_accessible
from tests.console.client import readable
from tests.console.conftest import Logged, OpenPage
from tests.console.talks import somebody, talk
from tests.running import RunningApp

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> {{ 7*7 }}"


def open_case(database: Engine, text: str = "The zip broke.", kind: str = "complaint", **more: object) -> int:
    """A case out of a conversation of a customer that is known."""
    customer_id = somebody(database, "Ana Pop", f"ana{clock.now().timestamp()}@example.com")
    talk_id = talk(database, ("customer", text), ("bot", "I pass it on."), customer_id=customer_id)
    with session_scope(database) as session:
        key = session.scalars(select(Message.id).where(Message.conversation_id == talk_id)).first()
        conversation = session.get_one(Conversation, talk_id)
        case = conversations.open_case(session, conversation, kind, text, f"{talk_id}:{key}", topic=None)
        case.customer_id = customer_id
        for name, value in more.items():
            setattr(case, name, value)
        return case.id


def read(database: Engine, case_id: int) -> Case:
    with read_scope(database) as session:
        case = session.get_one(Case, case_id)
        session.expunge_all()
    return case


def test_the_empty_list_says_how_cases_get_there(log_in: Logged) -> None:
    agent = log_in("agent")
    assert "The bot opens one for each complaint" in agent.text("/console/cases")
    assert "Nothing waits for you." in agent.text("/console/cases", tab="mine")
    assert "No case here fits these filters." in agent.text("/console/cases", kind="review")


def test_the_way_of_a_case(log_in: Logged, engine: Engine) -> None:
    agent = log_in("agent")
    case_id = open_case(engine)
    path = f"/console/cases/{case_id}"
    assert "A. P." in agent.text("/console/cases", tab="unassigned"), "not theirs, so initials must do"
    assert "Ana Pop" not in agent.page(path)
    answer = agent.post(f"{path}/take", version=1)
    assert "The case is yours." in readable(answer.text)
    assert "Ana Pop" in agent.text(path)
    assert "Ana Pop" in agent.text("/console/cases", tab="mine")
    answer = agent.post(f"{path}/answer", version=2, answer="We send a new one.", asks="1")
    assert "Waiting for the customer" in readable(answer.text)
    answer = agent.post(f"{path}/resolve", version=3, outcome="accepted", resolution="", tell="1")
    assert "The case is resolved." in readable(answer.text)
    assert "Sent by: Web chat" in readable(answer.text)
    assert f"Case {case_id}" in agent.text("/console/cases", tab="resolved")
    assert "No case is open." in agent.text("/console/cases", tab="open")
    answer = agent.post(f"{path}/reopen", version=4)
    assert "The case is open again." in readable(answer.text)
    agent.post(f"{path}/note", version=5, note="Ask the workshop.")
    agent.post(f"{path}/priority", version=5, priority="high")
    agent.post(f"{path}/due", version=6, due="2031-05-31")
    agent.post(f"{path}/assign", version=7, owner="")
    text = agent.text(path)
    assert "Ada Agent set the due date to 31 May 2031, 23:59" in text
    assert "Ada Agent gave it to nobody" in text
    assert "Ask the workshop." in text
    with read_scope(engine) as session:
        said = session.scalars(
            select(Message.text).where(Message.author == "staff").order_by(Message.id)
        ).all()
        kept = set(session.scalars(select(AuditEvent.action).where(AuditEvent.subject == "case")))
    assert said[0] == "We send a new one."
    assert f"About your complaint (case {case_id})" in (said[1] or "")
    assert {"list cases", "see case", "take case", "answer case", "resolve case", "reopen case"} <= kept


def test_the_second_of_two_sees_what_changed_and_keeps_their_words(log_in: Logged, engine: Engine) -> None:
    agent, manager = log_in("agent"), log_in("manager")
    case_id = open_case(engine)
    path = f"/console/cases/{case_id}"
    agent.post(f"{path}/take", version=1)
    answer = manager.post(f"{path}/answer", version=1, answer="My long answer.")
    assert answer.status_code == 409
    text = readable(answer.text)
    assert "Somebody changed this case meanwhile." in text
    assert "Ada Agent took it" in text
    assert "My long answer." in answer.text
    assert 'name="version" value="2"' in answer.text
    assert read(engine, case_id).status == "progress"


@pytest.mark.parametrize(
    ("action", "fields", "problem"),
    [
        ("answer", {"answer": " "}, "Write 1 to 4000 characters."),
        ("resolve", {"outcome": "done"}, "Choose how it ended."),
        ("resolve", {}, "Choose how it ended."),
        ("reopen", {}, "This cannot be done with the case as it is now."),
        ("priority", {"priority": "now"}, "Choose how urgent it is."),
        ("due", {"due": ""}, "Choose a day."),
        ("due", {"due": "tomorrow"}, "Write the day as 2026-05-31."),
        ("assign", {"owner": "999"}, "There is no such account."),
        ("customer", {"email": "nobody@example.com"}, "There is no such customer."),
    ],
)
def test_mistakes_are_told_and_change_nothing(
    log_in: Logged, engine: Engine, action: str, fields: dict[str, str], problem: str
) -> None:
    agent = log_in("agent")
    case_id = open_case(engine)
    answer = agent.post(f"/console/cases/{case_id}/{action}", version=1, **fields)
    assert answer.status_code == 422
    assert problem in readable(answer.text)
    assert read(engine, case_id).version == 1


def test_a_case_by_hand(log_in: Logged, engine: Engine) -> None:
    agent = log_in("agent")
    customer_id = somebody(engine, "Ben Lee", "ben@example.com")
    fields = {"kind": "mention", "text": "They write about us.", "language": "nb", "priority": "high"}
    wrong = agent.post("/console/cases", **fields, source_url="javascript:alert(1)")
    assert wrong.status_code == 422
    assert "They write about us." in wrong.text
    unknown = agent.post("/console/cases", **fields, email="cleo@example.com")
    assert "There is no such customer." in readable(unknown.text)
    done = agent.post(
        "/console/cases", **fields, email="Ben@example.com", source_url="https://social.example/1"
    )
    assert 'href="https://social.example/1"' in done.text
    with read_scope(engine) as session:
        case = session.scalars(select(Case)).one()
        session.expunge_all()
    assert (case.kind, case.customer_id, case.language, case.priority) == (
        "mention",
        customer_id,
        "nb",
        "high",
    )
    text = readable(done.text)
    assert "Your words go to their own e-mail address." in text
    assert "Norsk bokmål" in text


def test_a_case_out_of_a_conversation(log_in: Logged, engine: Engine) -> None:
    agent = log_in("agent")
    said = talk(engine, ("customer", "cremallera rota"), language="es")
    page = agent.page("/console/cases/new", conversation=said)
    assert f'href="/console/conversations/{said}"' in page
    assert re.search(r'<option value="es"\s+selected', page)
    fields = {"conversation": said, "kind": "complaint", "language": "es", "priority": "normal"}
    empty = agent.post("/console/cases", **fields, text="")
    assert empty.status_code == 422
    assert f'href="/console/conversations/{said}"' in empty.text
    fields["key"] = re.findall('name="key" value="([0-9a-f]{32})"', page)[0]
    for _ in range(2):  # whoever presses the button twice
        assert agent.post("/console/cases", **fields, text="The zip broke.").status_code == 200
    with read_scope(engine) as session:
        assert session.scalars(select(Case.conversation_id)).all() == [said]


def test_what_an_agent_does_not_see_of_others_cases(log_in: Logged, engine: Engine) -> None:
    agent, manager = log_in("agent"), log_in("manager")
    case_id = open_case(
        engine, "I am Ana Pop, write to ana@example.com or call +47 412 34 567.", contact="Ana, 41234567"
    )
    for page in (agent.page(f"/console/cases/{case_id}"), agent.page("/console/cases")):
        assert not any(secret in page for secret in ("Ana Pop", "ana@example.com", "412 34 567", "41234567"))
    for page in (manager.page(f"/console/cases/{case_id}"), manager.page("/console/cases")):
        assert "ana@example.com" in page


def test_the_list_hides_what_tells_who_somebody_is_as_the_case_does(log_in: Logged, engine: Engine) -> None:
    agent, manager = log_in("agent"), log_in("manager")
    customer_id = somebody(engine, "Ana Pop", "hikergirl77@example.com")
    case_id = open_case(engine, "Everybody calls me hikergirl77.", customer_id=customer_id)
    for path in (f"/console/cases/{case_id}", "/console/cases"):
        assert "hikergirl77" not in agent.page(path)
        assert "hikergirl77" in manager.page(path)


def test_naming_a_customer_shows_an_agent_nothing_of_them(log_in: Logged, engine: Engine) -> None:
    agent, manager = log_in("agent"), log_in("manager")
    customer_id = somebody(engine, "Benedicte Lee", "ben@example.com")
    fields = {"kind": "callback", "text": "They phoned.", "language": "nb", "priority": "high"}
    by_number = agent.post("/console/cases", **fields, customer=customer_id)
    assert "There is no such customer." in readable(by_number.text)
    assert agent.post("/console/cases", **fields, email="x@example.com").status_code == 422
    path = agent.post("/console/cases", **fields, email="ben@example.com").url.path
    case_id = int(path.rpartition("/")[2])
    assert read(engine, case_id).customer_id == customer_id
    agent.post(f"{path}/take", version=1)

    def seen() -> list[bool]:
        pages = agent.page(path), agent.page("/console/cases", tab="mine")
        assert "They phoned." in pages[0]
        return ["Benedicte" in pages[0], "ben@example.com" in pages[0], "Benedicte" in pages[1]]

    assert seen() == [False] * 3
    tried = agent.post(f"{path}/customer", version=2, email="y@example.com")
    assert tried.status_code == 422
    with read_scope(engine) as session:
        events = session.scalars(select(AuditEvent).where(AuditEvent.action == "find nobody")).all()
        assert len(events) == 3
        assert not any("example" in str(event.details) for event in events)
        me = session.scalars(select(Case.owner_id).where(Case.id == case_id)).one()
    agent.post(f"{path}/assign", version=2, owner=me)
    assert seen() == [False] * 3, "giving it to oneself does not help"
    manager.post(f"{path}/assign", version=3, owner=me)
    assert seen() == [True] * 3
    agent.post(f"{path}/customer", version=4, email="ben@example.com")
    assert seen() == [False] * 3
    talk_id = talk(engine, ("customer", "hello"), customer_id=customer_id)
    with session_scope(engine) as session:
        session.get_one(Conversation, talk_id).assigned_to = me
    assert seen()[:2] == [True] * 2
    by_number = agent.post("/console/cases", **fields, customer=customer_id)
    assert "Case 2 is open." in readable(by_number.text)


def test_hostile_words_are_only_words(log_in: Logged, engine: Engine) -> None:
    manager = log_in("manager")
    case_id = open_case(engine, HOSTILE, order_number=HOSTILE[:60], contact=HOSTILE)
    path = f"/console/cases/{case_id}"
    manager.post(f"{path}/note", version=1, note=HOSTILE)
    manager.post(f"{path}/answer", version=1, answer=HOSTILE)
    manager.post(f"{path}/resolve", version=2, outcome="refused", resolution=HOSTILE, tell="1")
    for page in (
        manager.page(path),
        manager.page("/console/cases"),
        manager.page("/console/cases", tab="resolved"),
    ):
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "49" not in page.partition(HOSTILE[-9:])[0][-30:]


def test_filters_and_pages(log_in: Logged, engine: Engine) -> None:
    agent = log_in("agent")
    now = clock.now()
    with session_scope(engine) as session:
        for number in range(repository.PAGE + 3):
            session.add(
                Case(
                    kind="review" if number % 2 else "complaint",
                    message_key=f"k{number}",
                    text=f"words {number}.",
                    language="en" if number % 3 else "es",
                    rating=3,
                    due_at=now + timedelta(hours=number - 2),
                    opened_at=now - timedelta(days=number),
                )
            )
    first = agent.page("/console/cases")
    assert first.index("words 0.") < first.index("words 1.") < first.index("words 49.")
    assert "words 50." not in first
    following = (
        first.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0].replace("&amp;", "&")
    )
    second = agent.http.get(following).text
    assert all(f"words {number}." in second for number in (50, 51, 52))
    assert "words 49." not in second
    assert "words 1." not in agent.page("/console/cases", tab="overdue", kind="complaint")
    assert "words 0." in agent.page("/console/cases", tab="overdue", language="es")
    assert "words 3." not in agent.page("/console/cases", tab="overdue")
    since = (now - timedelta(days=1)).date().isoformat()
    recent = agent.page("/console/cases", since=since)
    assert "words 0." in recent
    assert "words 5." not in recent
    assert agent.get("/console/cases", since="soon").status_code == 422
    assert agent.get("/console/cases", after="x~1").status_code == 422
    assert agent.get("/console/cases/999999").status_code == 404


@pytest.mark.parametrize("dark", [False, True])
def test_a_case_in_a_browser(
    open_page: OpenPage, running: RunningApp, sqlite_engine: Engine, dark: bool
) -> None:
    """Open, take, answer, resolve, reopen, at a phone's width or a desk's."""
    width = 375 if dark else 1280
    page = open_page("agent", "/console/cases/new", width=width, dark=dark)
    assert_accessible(page)
    page.check("text=Call-back")
    page.fill("textarea[name=text]", HOSTILE)
    page.fill("input[name=contact]", "+47 41 23 45 67")
    page.click("text=Open the case")
    page.wait_for_selector("text=There is no way to write to them from here.")
    case_id = open_case(sqlite_engine, "The zip broke, and nobody answers.", rating=2)
    page.goto(f"{running.url}/console/cases")
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.click(f"a[href='/console/cases/{case_id}']")
    page.click("button:text-is('Take')")
    page.wait_for_selector("text=The case is yours.")
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.fill("textarea[name=answer]", "Which zip is it?")
    page.click("button:text-is('Send')")
    page.wait_for_selector("text=Your answer is on its way.")
    page.check("input[value=accepted]")
    page.click("text=Resolve the case")
    page.wait_for_selector("text=The case is resolved.")
    page.click("button:text-is('Reopen')")
    page.wait_for_selector("text=The case is open again.")
    assert read(sqlite_engine, case_id).status == "reopened"
    with read_scope(sqlite_engine) as session:
        said = session.scalars(select(Message.text).where(Message.author == "staff")).all()
    assert len(said) == 2


def test_a_look_is_kept_and_masked_whatever_way_it_is_taken(log_in: Logged, engine: Engine) -> None:
    agent = log_in("agent")
    secret = "We wrote to ana@example.com."
    case_id = open_case(engine, resolved_at=clock.now(), status="resolved", outcome="accepted")
    with session_scope(engine) as session:
        session.get_one(Case, case_id).resolution = secret
    assert agent.post(f"/console/cases/{case_id}/due", due="").status_code == 422
    with read_scope(engine) as session:
        looks = select(AuditEvent).where(
            AuditEvent.action == "see case", AuditEvent.subject_id == str(case_id)
        )
        [look] = session.scalars(looks).all()
        assert look.details == {"full": False, "customer": read(engine, case_id).customer_id}
    page = agent.page(f"/console/cases/{case_id}")
    assert "We wrote to" in page
    assert "ana@example.com" not in page
