"""Rasa's SQL tracker store with what the channel needs: durable and quick on SQLite, old turns found again,
deletion.
"""

import json
from typing import Any

import sqlalchemy as sa
from rasa.core.tracker_store import SQLTrackerStore
from rasa.shared.core.events import Event, UserUttered


class RapportTrackerStore(SQLTrackerStore):
    """`url` in endpoints.yml is an SQLAlchemy URL: sqlite:///file or postgresql://user:password@host/name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.engine.dialect.name == "sqlite":
            sa.event.listen(self.engine, "connect", _prepare_sqlite)
            self.engine.dispose()  # the connection that made the tables was opened before

    def find_turn(self, conversation_id: str, message_id: str) -> list[Event] | None:
        """The events of the turn that answered `message_id`, from its user message on; None if there was
        none.

        Looks through all sessions, because the turn may lie before the start of the present one.
        """
        row = self.SQLEvent
        with self.session_scope() as session:
            mine = session.query(row).filter(row.sender_id == conversation_id)
            users = mine.filter(row.type_name == UserUttered.type_name)
            needle = f'"message_id": {json.dumps(message_id)}'
            start = users.filter(row.data.contains(needle, autoescape=True)).order_by(row.id).first()
            if start is None:
                return None
            following = users.filter(row.id > start.id).order_by(row.id).first()
            turn = mine.filter(row.id >= start.id)
            if following is not None:
                turn = turn.filter(row.id < following.id)
            events = [Event.from_parameters(json.loads(event.data)) for event in turn.order_by(row.id)]
        return [event for event in events if event is not None]

    def delete(self, conversation_id: str) -> None:
        """Removes every event of the conversation, on SQLite also from the free pages and the write-ahead
        log.
        """
        with self.session_scope() as session:
            session.query(self.SQLEvent).filter(self.SQLEvent.sender_id == conversation_id).delete()
            session.commit()
            if self.engine.dialect.name == "sqlite":
                session.execute(sa.text("PRAGMA wal_checkpoint(TRUNCATE)"))


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    # WAL with NORMAL survives a kill of the process at any moment; only a power cut may lose the last turns,
    # which the app then sends again.
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=5000", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
