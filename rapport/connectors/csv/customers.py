"""Customers from a CSV file: who they are, and what they agreed to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from rapport.connectors.csv import values
from rapport.connectors.csv.records import Record
from rapport.connectors.plan import Plan
from rapport.connectors.report import Report
from rapport.customers import repository, service
from rapport.customers.models import Customer
from rapport.customers.rules import IMPORTED_WORDING, is_timezone, normalise_email, normalise_phone
from rapport.kit import clock, languages

PURPOSE, CHANNEL = "newsletter", "email"
NAME_LENGTH, REFERENCE_LENGTH, SOURCE_LENGTH = 200, 120, 120


@dataclass(frozen=True)
class Consent:
    """What the file says was agreed to or withdrawn, where and, if it tells, when."""

    granted: bool
    source: str | None
    at: datetime | None


@dataclass(frozen=True)
class CustomerRow:
    """A customer as a row describes them; `row` is the line in the file."""

    row: int
    reference: str | None
    email: str | None
    phone: str | None
    name: str | None
    language: str | None
    country: str | None
    timezone: str | None
    birthday: date | None
    consent: Consent | None


class CustomerReader:
    """Turns records into customers; what cannot be one goes into the report."""

    def __init__(self, plan: Plan, report: Report, zone: ZoneInfo, country: str) -> None:
        self._plan = plan
        self._report = report
        self._zone = zone
        self._home = country

    def read(self, row: int, record: Record) -> CustomerRow | None:
        """The customer in this record, or None after saying why not."""
        reference = values.reference(self._cell(record, "customer"))
        country = values.country(self._cell(record, "country"))
        email = self._email(row, record)
        phone = self._phone(row, record, country)
        if len(reference) > REFERENCE_LENGTH:
            self._report.skip("customer id too long", row)
            return None
        if not (reference or email or phone):
            self._report.skip("no usable id, e-mail address or phone number", row)
            return None
        return CustomerRow(
            row=row,
            reference=reference or None,
            email=email,
            phone=phone,
            name=self._name(record),
            language=self._language(row, record),
            country=country,
            timezone=self._timezone(row, record),
            birthday=self._birthday(row, record),
            consent=self._consent(row, record),
        )

    def _cell(self, record: Record, field: str) -> str:
        position = self._plan.columns.get(field)
        return "" if position is None else values.clean(record[position])

    def _email(self, row: int, record: Record) -> str | None:
        typed = self._cell(record, "email")
        email = normalise_email(typed) if typed else None
        if typed and email is None:
            self._report.note("e-mail address not valid, left out", row)
        return email

    def _phone(self, row: int, record: Record, country: str | None) -> str | None:
        typed = values.reference(self._cell(record, "phone"))
        phone = normalise_phone(typed, country or self._home) if typed else None
        if typed and phone is None:
            self._report.note("phone number not valid, left out", row)
        return phone

    def _name(self, record: Record) -> str | None:
        parts = (self._cell(record, "first_name"), self._cell(record, "last_name"))
        name = self._cell(record, "name") or " ".join(part for part in parts if part)
        return name[:NAME_LENGTH] or None

    def _language(self, row: int, record: Record) -> str | None:
        typed = self._cell(record, "language")
        language = languages.normalise(typed) or values.language(typed)
        if typed and language is None:
            self._report.note("language not one of ours, left out", row)
        return language

    def _timezone(self, row: int, record: Record) -> str | None:
        typed = self._cell(record, "timezone")
        if typed and not is_timezone(typed):
            self._report.note("time zone not one such as Europe/Oslo, left out", row)
            return None
        return typed or None

    def _birthday(self, row: int, record: Record) -> date | None:
        typed = self._cell(record, "birthday")
        try:
            return values.calendar_day(typed, self._plan.date_order) if typed else None
        except ValueError:
            self._report.note("birthday not a date, left out", row)
            return None

    def _consent(self, row: int, record: Record) -> Consent | None:
        try:
            granted = values.yes_or_no(self._cell(record, "consent"))
        except ValueError:
            self._report.note("consent is neither yes nor no, taken as not given", row)
            return None
        if granted is None:
            return None
        source = self._cell(record, "consent_source") or self._plan.consent_source
        if granted and not source:
            self._report.note("consent without a source, not taken (see --consent-source)", row)
            return None
        typed = self._cell(record, "consent_date")
        try:
            at = values.moment(typed, self._plan.date_order, self._zone) if typed else None
        except ValueError:
            self._report.note("date of consent not readable, left out", row)
            at = None
        return Consent(granted, source[:SOURCE_LENGTH] if source else None, at)


class CustomerWriter:
    """Writes customers a chunk in one transaction."""

    # Each customer takes a handful of queries; on SQLite nobody else can write meanwhile.
    chunk = 500

    def __init__(self, plan: Plan, report: Report) -> None:
        self._plan = plan
        self._report = report

    def write(self, session: Session, rows: list[CustomerRow]) -> None:
        """Add these customers or complete what is known of them, and note what they agreed to."""
        newest = session.scalar(select(func.max(Customer.id))) or 0
        added = set()
        for row in rows:
            customer = service.ensure_customer(
                session,
                references=[(self._plan.source, row.reference)] if row.reference else [],
                identities=[
                    (kind, value) for kind, value in (("email", row.email), ("phone", row.phone)) if value
                ],
                name=row.name,
                language=row.language,
                country=row.country,
                timezone=row.timezone,
                birthday=row.birthday,
            )
            if customer.id > newest:
                added.add(customer.id)
            if row.consent:
                self._note_consent(session, customer.id, row.consent)
        self._report.taken += len(rows)
        self._report.added["customers"] += len(added)

    def _note_consent(self, session: Session, customer_id: int, consent: Consent) -> None:
        """A file never overrules what the customer said later: only a dated consent can follow a refusal."""
        latest = repository.latest_consent(session, customer_id, PURPOSE, CHANNEL)
        if latest is not None:
            later = consent.at is not None and consent.at > latest.at
            refused_since = latest.granted and not consent.granted and consent.at is None
            if latest.granted == consent.granted or not (later or refused_since):
                return
        service.record_consent(
            session,
            customer_id,
            purpose=PURPOSE,
            channel=CHANNEL,
            granted=consent.granted,
            wording_version=IMPORTED_WORDING,
            source=consent.source or self._plan.source,
            at=consent.at or clock.now(),
        )
        self._report.added["consents" if consent.granted else "refusals"] += 1
