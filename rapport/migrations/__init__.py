"""Alembic migrations; `upgrade` brings a database to the newest."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Engine

# Importing the models fills Base.metadata.
import rapport.api.models
import rapport.cases.models
import rapport.channels.models
import rapport.connectors.models
import rapport.conversations.models
import rapport.customers.models
import rapport.edits.models
import rapport.insight.models
import rapport.loyalty.offers.models
import rapport.loyalty.points.models
import rapport.loyalty.referrals.models
import rapport.mentions.models
import rapport.notes.models
import rapport.outreach.journeys.models
import rapport.outreach.models
import rapport.outreach.policy.models
import rapport.preferences.models
import rapport.replies.models
import rapport.review.models
import rapport.schedule.models
import rapport.shop.models
import rapport.site.models
import rapport.staff.models
import rapport.teaching.models
import rapport.value.models  # noqa: F401
from rapport.kit.errors import ConfigurationError


def config(engine: Engine) -> Config:
    """What Alembic's commands need for a database."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent))
    made.attributes["engine"] = engine
    return made


def upgrade(engine: Engine) -> None:
    """Bring the database to the newest version; does nothing when it is there already.

    Raises ConfigurationError when it is at a version that this code does not know.
    """
    try:
        command.upgrade(config(engine), "head")
    except CommandError as error:
        raise ConfigurationError(
            f"The database cannot be used: {error}. Was it used with a newer Rapport?"
        ) from error


def newest() -> str | None:
    """The version the code expects."""
    return ScriptDirectory(str(Path(__file__).parent)).get_current_head()


def current(engine: Engine) -> str | None:
    """The version the database is at; None when it is empty."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()
