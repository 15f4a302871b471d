"""Whether the parts are there, for supervisors and load balancers."""

from __future__ import annotations

from anyio import to_thread
from fastapi import APIRouter
from fastapi.responses import JSONResponse
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from rapport.conversations.rasa import Rasa
from rapport.kit import problems
from rapport.kit.database import read_scope


def router(database: Engine, rasa: Rasa) -> APIRouter:
    """`/healthz`: this process runs. `/readyz`: a message sent now would be answered."""
    routes = APIRouter(tags=["health"])

    @routes.get("/healthz", summary="Is the app running?")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @routes.get("/readyz", summary="Can messages be answered?", responses=problems.documented(503))
    async def readyz() -> JSONResponse:
        missing = await to_thread.run_sync(_missing, database, rasa)
        if missing:
            return problems.problem("unavailable", f"Away: {', '.join(missing)}.", {"Retry-After": "2"})
        return JSONResponse({"status": "ready"})

    return routes


def _missing(database: Engine, rasa: Rasa) -> list[str]:
    missing = []
    try:
        with read_scope(database) as session:
            session.execute(text("SELECT 1 FROM alembic_version"))
    except SQLAlchemyError:
        missing.append("the database")
    if not rasa.is_ready():
        missing.append("Rasa")
    return missing
