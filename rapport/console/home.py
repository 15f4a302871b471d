"""The way in: the first page of the menu that somebody may see."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from rapport.console.desk import Desk, signed_in
from rapport.console.navigation import ENTRIES

routes = APIRouter()


@routes.get("/")
def start(desk: Annotated[Desk, Depends(signed_in)]) -> Response:
    return desk.go(next(entry.path for entry in ENTRIES if desk.may(entry.permission)))
