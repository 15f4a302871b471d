"""What staff are told at once."""

from __future__ import annotations

from fastapi import APIRouter

routes = APIRouter()
