"""What administrators do with accounts, and links to choose a password: first account, invitations, resets.

`actor_id` is the administrator who does it, None on the command line.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.orm import Session

from rapport.kit import clock, languages, tokens
from rapport.kit.errors import ConflictError, UnauthorizedError
from rapport.kit.locks import one_at_a_time
from rapport.kit.settings import Settings
from rapport.outreach import compose
from rapport.outreach import service as outreach
from rapport.staff import links, oidc, repository, rules, service
from rapport.staff.models import Staff

WELCOME, PASSWORD = "welcome", "password"
INVITATION_MAIL, RESET_MAIL = "staff_invitation", "staff_password"


def welcome_link(settings: Settings) -> str:
    """The address where the very first account is made; worth nothing once there is one."""
    token = links.make(_secret(settings), WELCOME, rules.WELCOME_LIFE)
    return f"{settings.base_url}/console/welcome?token={token}"


def check_welcome(session: Session, settings: Settings, token: str) -> None:
    """Raises UnauthorizedError when the first account may not be made with this."""
    links.read(_secret(settings), WELCOME, token)
    if repository.count(session):
        raise UnauthorizedError(links.WORTHLESS)


def create_first(
    session: Session, settings: Settings, token: str, email: str, name: str, password: str, language: str
) -> Staff:
    """The first account, an administrator's. Raises UnauthorizedError and InvalidInputError."""
    one_at_a_time(session, service.ACCOUNTS)
    check_welcome(session, settings, token)
    staff = service.create(session, email, name, "admin", password, language)
    service.note(session, staff.id, "create account", "staff", staff.id, role="admin")
    return staff


def invite_new(
    session: Session,
    settings: Settings,
    actor_id: int | None,
    email: str,
    name: str,
    role: str,
    language: str,
) -> tuple[Staff, str]:
    """(an account without a password, the link with which its owner chooses one); it is mailed as well.

    Raises InvalidInputError, and ConflictError when the address has an account.
    """
    staff = service.create(session, email, name, role, None, language)
    service.note(session, actor_id, "create account", "staff", staff.id, role=role)
    return staff, invite(session, settings, actor_id, staff)


def invite(
    session: Session, settings: Settings, actor_id: int | None, staff: Staff, by_mail: bool = True
) -> str:
    """A new link to choose a password; earlier ones are worth nothing any more, and an account at the OpenID
    provider is linked anew at the next login. Raises ConflictError when the account is switched off.
    """
    if staff.disabled_at is not None:
        raise ConflictError(rules.SWITCHED_OFF)
    staff.link_serial += 1
    staff.oidc_subject = None
    session.flush()
    service.note(session, actor_id, "invite", "staff", staff.id)
    link = _password_link(settings, staff.id, staff.link_serial, rules.INVITATION_LIFE)
    if by_mail:
        mail = compose.compose(
            INVITATION_MAIL, staff.language, name=staff.name, link=link, days=rules.INVITATION_LIFE.days
        )
        _enqueue(session, INVITATION_MAIL, staff.email, mail, staff.language, rules.INVITATION_LIFE)
    return link


def forgot(session: Session, settings: Settings, email: str) -> None:
    """Mails a link to choose a new password, if an account in use has this address. Not to who logs in at the
    OpenID provider only: an account without a password gets none without an administrator.

    Whether it has, changes neither what is done nor how much.
    """
    staff = repository.by_email(session, email.replace("\0", "").strip().lower())
    active = staff if staff is not None and staff.disabled_at is None and not _is_openid_only(staff) else None
    staff_id, serial, language, name = 0, 0, languages.DEFAULT_LANGUAGE, "-"
    if active is not None:
        staff_id, serial, language, name = active.id, active.link_serial, active.language, active.name
    link = _password_link(settings, staff_id, serial, rules.RESET_LIFE)
    minutes = int(rules.RESET_LIFE.total_seconds() // 60)
    mail = compose.compose(RESET_MAIL, language, name=name, link=link, minutes=minutes)
    recipient = active.email if active is not None else None
    _enqueue(session, RESET_MAIL, recipient, mail, language, rules.RESET_LIFE)
    service.note(session, None, "ask for new password", "staff", staff_id or None)


def _is_openid_only(staff: Staff) -> bool:
    return staff.password_hash is None and staff.oidc_subject is not None


def check_link(session: Session, settings: Settings, token: str) -> Staff:
    """Whose password may be chosen with this link. Raises UnauthorizedError."""
    claims = links.read(_secret(settings), PASSWORD, token)
    staff = session.get(Staff, claims.get("staff"))
    if staff is None or staff.disabled_at is not None or staff.link_serial != claims.get("serial"):
        raise UnauthorizedError(links.WORTHLESS)
    return staff


def accept(
    session: Session, settings: Settings, token: str, password_hash: str, name: str, language: str
) -> Staff:
    """The account with its new password; the link, and all others, are used up and every browser is logged
    out. Raises UnauthorizedError and InvalidInputError.
    """
    staff = check_link(session, settings, token)
    if not repository.use_link(session, staff.id, staff.link_serial):
        raise UnauthorizedError(links.WORTHLESS)
    session.refresh(staff)
    staff.name = rules.checked_name(name)
    staff.language = languages.normalise(language) or staff.language
    staff.password_hash = password_hash
    repository.forget_logins(session, staff.id)
    service.note(session, staff.id, "choose password", "staff", staff.id)
    session.flush()
    return staff


def find_by_identity(session: Session, identity: oidc.Identity) -> Staff:
    """Whose account that is; the first time the one with this verified address, from then on the one that is
    linked. None is ever made. Raises RefusedError.
    """
    staff = repository.by_subject(session, identity.subject)
    if staff is None:
        if identity.email is None:
            raise oidc.RefusedError(oidc.UNVERIFIED)
        staff = service.known_as(session, identity.email)
        if staff is None:
            raise oidc.RefusedError(oidc.STRANGER)
        if staff.disabled_at is None:
            if not repository.link(session, staff.id, identity.subject):
                raise oidc.RefusedError(oidc.OTHER)
            session.refresh(staff)
            service.note(session, staff.id, "link account", "staff", staff.id)
    if staff.disabled_at is not None:
        raise oidc.RefusedError(oidc.OFF)
    return staff


def change_role(session: Session, actor_id: int | None, staff_id: int, role: str) -> Staff:
    """Raises NotFoundError, InvalidInputError, ForbiddenError, and ConflictError for the last admin."""
    role = rules.checked_role(role)
    admins = repository.lock_active_admins(session)
    staff = service.get(session, staff_id)
    rules.check_role_change(actor_id, staff_id, role, admins)
    if staff.role != role:
        service.note(session, actor_id, "change role", "staff", staff_id, before=staff.role, after=role)
        staff.role = role
        session.flush()
    return staff


def switch_off(session: Session, actor_id: int | None, staff_id: int) -> Staff:
    """Logged out everywhere at once, and no way in until somebody switches the account on again.

    Raises NotFoundError, ForbiddenError, and ConflictError for the last administrator.
    """
    admins = repository.lock_active_admins(session)
    staff = service.get(session, staff_id)
    rules.check_switch_off(actor_id, staff_id, admins)
    if staff.disabled_at is None:
        staff.disabled_at = clock.now()
        _end_all(session, staff)
        service.note(session, actor_id, "switch off account", "staff", staff_id)
    return staff


def switch_on(session: Session, actor_id: int | None, staff_id: int) -> Staff:
    """Raises NotFoundError."""
    staff = service.get(session, staff_id)
    if staff.disabled_at is not None:
        staff.disabled_at = None
        service.note(session, actor_id, "switch on account", "staff", staff_id)
        session.flush()
    return staff


def log_out_everywhere(session: Session, actor_id: int | None, staff_id: int) -> Staff:
    """Ends all logins of an account, and makes links to it worthless. Raises NotFoundError."""
    staff = service.get(session, staff_id)
    _end_all(session, staff)
    service.note(session, actor_id, "log out everywhere", "staff", staff_id)
    return staff


def _end_all(session: Session, staff: Staff) -> None:
    staff.link_serial += 1
    repository.forget_logins(session, staff.id)
    session.flush()


def _password_link(settings: Settings, staff_id: int, serial: int, life: timedelta) -> str:
    token = links.make(_secret(settings), PASSWORD, life, staff=staff_id, serial=serial)
    return f"{settings.base_url}/console/password?token={token}"


def _enqueue(
    session: Session,
    purpose: str,
    recipient: str | None,
    mail: compose.Wording,
    language: str,
    life: timedelta,
) -> None:
    outreach.enqueue(
        session,
        key=f"{purpose}:{tokens.new_token()}",
        purpose=purpose,
        recipient=recipient,
        subject=mail.subject,
        text=mail.text,
        language=language,
        expires_at=clock.now() + life,
    )


def _secret(settings: Settings) -> str:
    return settings.secret_key.get_secret_value()
