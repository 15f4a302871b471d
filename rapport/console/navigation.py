"""The pages of the console in the order of its menu."""

from __future__ import annotations

from dataclasses import dataclass

from rapport.console.i18n import mark
from rapport.staff.rules import May


@dataclass(frozen=True)
class Entry:
    """A line of the menu; `icon` names a macro of templates/icons.html."""

    path: str
    label: str
    icon: str
    permission: May


ENTRIES = (
    Entry("/console/waiting", mark("Waiting"), "bell", May.ANSWER),
    Entry("/console/conversations", mark("Conversations"), "chat", May.READ),
    Entry("/console/customers", mark("Customers"), "person", May.READ),
    Entry("/console/cases", mark("Cases"), "tray", May.READ),
    Entry("/console/mentions", mark("Mentions"), "megaphone", May.READ),
    Entry("/console/journeys", mark("Journeys"), "path", May.INSIGHT),
    Entry("/console/teaching", mark("Teaching"), "book", May.TEACH),
    Entry("/console/insight", mark("Insight"), "chart", May.INSIGHT),
    Entry("/console/settings", mark("Settings"), "sliders", May.SETTINGS),
    Entry("/console/staff", mark("Staff"), "people", May.STAFF),
    Entry("/console/audit", mark("Audit log"), "eye", May.AUDIT),
)
