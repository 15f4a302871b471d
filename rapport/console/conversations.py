"""The list of conversations."""

from __future__ import annotations

from fastapi import APIRouter

routes = APIRouter()
