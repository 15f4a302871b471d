"""Rasa's SQL tracker store with what the channel needs: a turn is saved whole and once, found again, deleted.

Rasa's own queries look at all events of a conversation three times a turn; ours are led by an index to the
present session, so that a long conversation costs no more than a new one.
"""

import json
from typing import Any

import sqlalchemy as sa
from rasa.core.tracker_store import SQLTrackerStore
from rasa.shared.core.events import Event, SessionStarted, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from sqlalchemy.orm import Query, Session

EventRow = SQLTrackerStore.SQLEvent
SESSION_INDEX = sa.Index("ix_events_sender_type", EventRow.sender_id, EventRow.type_name, EventRow.id)


class AnsweredMessage(SQLTrackerStore.Base):
    """Which message was answered, and where its turn begins. The key forbids a second turn for it.

    What was only told to the bot stands here too: it ends the turn before it, and is told once.
    """

    __tablename__ = "answered_message"

    sender_id = sa.Column(sa.String(255), primary_key=True)
    message_id = sa.Column(sa.String(255), primary_key=True)
    event_id = sa.Column(sa.Integer, nullable=False)


class RapportTrackerStore(SQLTrackerStore):
    """`url` in endpoints.yml is an SQLAlchemy URL: sqlite:///file or postgresql://user:password@host/name."""

    engine: sa.engine.Engine

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.engine.dialect.name == "sqlite":
            self._keep_sqlite_open()
        SESSION_INDEX.create(self.engine, checkfirst=True)

    def find_turn(self, conversation_id: str, message_id: str) -> list[Event] | None:
        """The events of the turn that answered `message_id`, its user message first; None if there was none.

        It may lie before the present session, so the tracker itself would not show it.
        """
        with self.session_scope() as session:
            start = session.execute(
                sa.select(AnsweredMessage.event_id).where(
                    AnsweredMessage.sender_id == conversation_id, AnsweredMessage.message_id == message_id
                )
            ).scalar()
            if start is None:
                return None
            turn = sa.select(EventRow.data).where(EventRow.sender_id == conversation_id, EventRow.id >= start)
            # A turn of a message with two wishes holds two user messages: it ends where the next turn begins.
            following = session.execute(
                sa.select(sa.func.min(AnsweredMessage.event_id)).where(
                    AnsweredMessage.sender_id == conversation_id, AnsweredMessage.event_id > start
                )
            ).scalar()
            if following is not None:
                turn = turn.where(EventRow.id < following)
            rows = session.execute(turn.order_by(EventRow.id)).scalars().all()
        events = [Event.from_parameters(json.loads(data)) for data in rows]
        return [event for event in events if event is not None]

    async def save(self, tracker: DialogueStateTracker) -> None:
        """Adds the events that are new, and the messages they answer, in one transaction."""
        with self.session_scope() as session:
            new = list(self._additional_events(session, tracker))
            if not new:
                return
            session.execute(sa.insert(EventRow), [self._row(tracker.sender_id, event) for event in new])
            self._note_answers(session, tracker.sender_id, new)
            session.commit()

    def known(self, conversation_id: str, message_ids: list[str]) -> set[str]:
        """Which of these messages were answered, or told."""
        with self.session_scope() as session:
            found = sa.select(AnsweredMessage.message_id).where(
                AnsweredMessage.sender_id == conversation_id, AnsweredMessage.message_id.in_(message_ids)
            )
            return set(session.execute(found).scalars())

    def save_told(self, tracker: DialogueStateTracker, message_ids: list[str]) -> None:
        """Adds the events that are new, the last of them one for each of these messages, in one transaction.

        The first message stands for what comes before it as well: the turn before ends there.
        """
        with self.session_scope() as session:
            new = list(self._additional_events(session, tracker))
            session.execute(sa.insert(EventRow), [self._row(tracker.sender_id, event) for event in new])
            latest = (
                sa.select(EventRow.id)
                .where(EventRow.sender_id == tracker.sender_id)
                .order_by(EventRow.id.desc())
                .limit(len(new))
            )
            rows = sorted(session.execute(latest).scalars())
            begins = [rows[0], *rows[len(rows) - len(message_ids) + 1 :]]
            for message_id, event_id in zip(message_ids, begins, strict=bool(message_ids)):
                session.add(
                    AnsweredMessage(sender_id=tracker.sender_id, message_id=message_id, event_id=event_id)
                )
            session.commit()

    def delete(self, conversation_id: str) -> None:
        """Removes all of the conversation, on SQLite also from free pages and the write-ahead log."""
        with self.session_scope() as session:
            for table in (EventRow, AnsweredMessage):
                session.execute(sa.delete(table).where(table.sender_id == conversation_id))
            session.commit()
            if self.engine.dialect.name == "sqlite":
                session.execute(sa.text("PRAGMA wal_checkpoint(TRUNCATE)"))

    def _event_query(self, session: Session, sender_id: str, fetch_events_from_all_sessions: bool) -> Query:
        """As Rasa's, but a session begins at a row, not at a time that is compared with every row's."""
        query = session.query(EventRow).filter(EventRow.sender_id == sender_id)
        if not fetch_events_from_all_sessions:
            start = session.execute(
                sa.select(sa.func.max(EventRow.id)).where(
                    EventRow.sender_id == sender_id, EventRow.type_name == SessionStarted.type_name
                )
            ).scalar()
            if start is not None:
                query = query.filter(EventRow.id >= start)
        return query.order_by(EventRow.id)

    @staticmethod
    def _row(sender_id: str, event: Event) -> dict[str, Any]:
        data = event.as_dict()
        return {
            "sender_id": sender_id,
            "type_name": event.type_name,
            "timestamp": data.get("timestamp"),
            "intent_name": data.get("parse_data", {}).get("intent", {}).get("name"),
            "action_name": data.get("name"),
            "data": json.dumps(data),
        }

    @staticmethod
    def _note_answers(session: Session, sender_id: str, new: list[Event]) -> None:
        """A turn begins with its first user message; with a second wish taken up it has another."""
        said = [event for event in new if isinstance(event, UserUttered)]
        if said and said[0].message_id:
            begins = (
                sa.select(EventRow.id)
                .where(EventRow.sender_id == sender_id, EventRow.type_name == UserUttered.type_name)
                .order_by(EventRow.id.desc())
                .offset(len(said) - 1)
                .limit(1)
            )
            event_id = session.execute(begins).scalar()
            session.add(
                AnsweredMessage(sender_id=sender_id, message_id=said[0].message_id, event_id=event_id)
            )

    def _keep_sqlite_open(self) -> None:
        """SQLAlchemy would open and close the file for each of a turn's sessions: 2 ms of a turn."""
        stock = self.engine
        stock.dispose()
        self.engine = sa.create_engine(stock.url, poolclass=sa.pool.QueuePool)
        sa.event.listen(self.engine, "connect", _prepare_sqlite)
        self.sessionmaker.configure(bind=self.engine)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    # WAL with NORMAL survives a kill of the process at any moment; only a power cut may lose the last turns,
    # which the app then sends again.
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=5000", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
