"""A page about the API, made of its OpenAPI document. No script, nothing from elsewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse, HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup, escape
from starlette.requests import Request

TEMPLATES = Path(__file__).parent / "templates"
POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
# A list of all the world's currencies tells nobody anything.
LONGEST_ENUM = 12

_templates = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True)


def with_code(text: str) -> Markup:
    """A text whose words in backticks are code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped first


def with_links(text: str) -> Markup:
    """A type whose names of schemas lead there; all of them begin with a capital letter."""
    return Markup(re.sub(r"\b([A-Z]\w+)", r'<a href="#\1">\1</a>', str(escape(text))))  # noqa: S704 - escaped


_templates.filters |= {"with_code": with_code, "with_links": with_links}


def router(app: FastAPI) -> APIRouter:
    """`/docs` and its style sheet."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/docs")
    def page(request: Request) -> Response:
        text = _templates.get_template("docs.html").render(
            **overview(app.openapi()), base=request.scope.get("root_path", "")
        )
        return HTMLResponse(text, headers={"Content-Security-Policy": POLICY})

    @routes.get("/docs.css")
    def style() -> Response:
        return FileResponse(TEMPLATES / "docs.css", media_type="text/css")

    return routes


def overview(document: dict[str, Any]) -> dict[str, Any]:
    """What the page shows of an OpenAPI document."""
    schemas = document["components"]["schemas"]
    operations = [
        {
            "method": method.upper(),
            "path": path,
            "about": operation,
            "body": _names(operation.get("requestBody")),
            "answer": _names(operation["responses"].get("200")),
            "errors": [
                (status, answer["description"])
                for status, answer in operation["responses"].items()
                if status[0] in "45"
            ],
        }
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    return {
        "info": document["info"],
        "operations": operations,
        "schemas": [
            {
                "name": name,
                "about": schema.get("description", ""),
                "fields": [
                    {
                        "name": field,
                        "needed": field in schema.get("required", []),
                        "type": type_of(what),
                        "about": _about(what),
                        "example": _example(what),
                    }
                    for field, what in schema["properties"].items()
                ],
                "example": json.dumps(schema["examples"][0], indent=2) if "examples" in schema else "",
            }
            for name, schema in schemas.items()
            if "properties" in schema and not name.endswith("ValidationError")
        ],
    }


def type_of(what: dict[str, Any]) -> str:
    """What a field holds, in a few words."""
    if "$ref" in what:
        return str(what["$ref"].rsplit("/", 1)[-1])
    if "anyOf" in what:
        return " or ".join(type_of(part) for part in what["anyOf"])
    if "const" in what:
        return f"“{what['const']}”"
    if "enum" in what and len(what["enum"]) <= LONGEST_ENUM:
        return " | ".join(f"“{value}”" for value in what["enum"])
    if what.get("type") == "array":
        return f"list of {type_of(what['items'])}"
    return str(what.get("type", "anything"))


def _names(part: dict[str, Any] | None) -> list[str]:
    """The schemas a body may be of."""
    if not part or "application/json" not in part.get("content", {}):
        return []
    schema = part["content"]["application/json"]["schema"]
    return [type_of(one) for one in schema.get("oneOf", [schema])]


def _about(what: dict[str, Any]) -> str:
    own = what.get("description", "")
    return own or next((_about(part) for part in what.get("anyOf", []) if _about(part)), "")


def _example(what: dict[str, Any]) -> str:
    if what.get("examples"):
        return json.dumps(what["examples"][0], ensure_ascii=False)
    return next((_example(part) for part in what.get("anyOf", []) if _example(part)), "")
