"""All queries about keys and stored answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from rapport.api.models import ApiKey, StoredAnswer
from rapport.kit.upsert import insert


def add_key(session: Session, **values: object) -> int | None:
    """Id of a new key, or None when its name is taken."""
    return session.scalar(
        insert(session, ApiKey)
        .values(**values)
        .on_conflict_do_nothing(index_elements=["name"])
        .returning(ApiKey.id)
    )


def key_by_prefix(session: Session, prefix: str) -> ApiKey | None:
    """The key that begins so."""
    return session.scalars(select(ApiKey).where(ApiKey.prefix == prefix)).one_or_none()


def keys(session: Session) -> Sequence[ApiKey]:
    """All keys, also revoked ones, by name."""
    return session.scalars(select(ApiKey).order_by(ApiKey.name)).all()


def note_use(session: Session, key_id: int, now: datetime) -> None:
    """Remember when the key was last used."""
    session.execute(update(ApiKey).where(ApiKey.id == key_id).values(last_used_at=now))


def revoke(session: Session, name: str, now: datetime) -> bool:
    """Make a key useless for good; False when there is no such one, or it is so already."""
    done = session.scalar(
        update(ApiKey)
        .where(ApiKey.name == name, ApiKey.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(ApiKey.id)
        .execution_options(synchronize_session=False)
    )
    return done is not None


def claim_answer(
    session: Session, api_key_id: int, key: str, fingerprint: str, now: datetime
) -> tuple[StoredAnswer, bool]:
    """The answer under an idempotency key, and whether this session is the first to ask for it.

    Another session that asks at the same time waits here until the first has ended.
    """
    new = session.scalar(
        insert(session, StoredAnswer)
        .values(api_key_id=api_key_id, key=key, fingerprint=fingerprint, created_at=now)
        .on_conflict_do_nothing(index_elements=["api_key_id", "key"])
        .returning(StoredAnswer.id)
    )
    query = select(StoredAnswer).where(StoredAnswer.api_key_id == api_key_id, StoredAnswer.key == key)
    return session.scalars(query).one(), new is not None


def delete_answers(session: Session, before: datetime, limit: int) -> int:
    """Drop up to `limit` answers that are older; how many they were."""
    old = select(StoredAnswer.id).where(StoredAnswer.created_at < before).limit(limit)
    gone = session.scalars(
        delete(StoredAnswer)
        .where(StoredAnswer.id.in_(old))
        .returning(StoredAnswer.id)
        .execution_options(synchronize_session=False)
    )
    return len(gone.all())
