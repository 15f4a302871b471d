"""Whether the ledger adds up: each invariant is a query for what breaks it, over everything there is."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import text
from sqlalchemy.orm import Session

SHOWN = 20

# (what is broken, query for the ids it is broken at)
INVARIANTS: tuple[tuple[str, str], ...] = (
    (
        "transaction does not add up to 0, or has no two sides",
        """SELECT t.id FROM "transaction" t LEFT JOIN posting p ON p.transaction_id = t.id
           GROUP BY t.id HAVING count(p.id) < 2 OR sum(p.points) <> 0""",
    ),
    (
        "account: balance is not the sum of its postings",
        """SELECT a.id FROM account a LEFT JOIN posting p ON p.account_id = a.id
           WHERE a.kind <> 'shop' GROUP BY a.id, a.balance HAVING a.balance <> coalesce(sum(p.points), 0)""",
    ),
    (
        "account: spendable points are not what its lots hold",
        """SELECT a.id FROM account a LEFT JOIN lot l ON l.account_id = a.id
           WHERE a.kind = 'points' GROUP BY a.id, a.balance
           HAVING a.balance <> coalesce(sum(l.remaining), 0)""",
    ),
    (
        "lot: what remains is not the sum of its movements",
        """SELECT l.id FROM lot l LEFT JOIN lot_movement m ON m.lot_id = l.id
           GROUP BY l.id, l.remaining HAVING l.remaining <> coalesce(sum(m.points), 0)""",
    ),
    (
        "transaction: its lot movements are not its postings to spendable points",
        """SELECT id FROM (
               SELECT p.transaction_id AS id, p.points FROM posting p
               JOIN account a ON a.id = p.account_id AND a.kind = 'points'
               UNION ALL SELECT transaction_id, -points FROM lot_movement
           ) sides GROUP BY id HAVING sum(points) <> 0""",
    ),
    (
        "account: pending points are not those of its earnings",
        """SELECT a.id FROM account a
           JOIN account s ON s.customer_id = a.customer_id AND s.kind = 'points'
           LEFT JOIN earning e ON e.account_id = s.id AND e.matured_at IS NULL
           WHERE a.kind = 'pending' GROUP BY a.id, a.balance
           HAVING a.balance <> coalesce(sum(e.points - e.taken_back), 0)""",
    ),
    (
        "account: held points are not those of its holds",
        """SELECT a.id FROM account a
           JOIN account s ON s.customer_id = a.customer_id AND s.kind = 'points'
           LEFT JOIN spending h ON h.account_id = s.id AND h.status = 'held'
           WHERE a.kind = 'held' GROUP BY a.id, a.balance HAVING a.balance <> coalesce(sum(h.points), 0)""",
    ),
    (
        "account: balance out of range",
        """SELECT id FROM account WHERE (kind = 'debt' AND balance > 0)
           OR (kind IN ('points', 'pending', 'held') AND balance < 0)""",
    ),
    (
        "account: points are owed beside spendable ones",
        """SELECT d.id FROM account d JOIN account p ON p.customer_id = d.customer_id AND p.kind = 'points'
           WHERE d.kind = 'debt' AND d.balance < 0 AND p.balance > 0""",
    ),
    (
        "earning: what was taken back is not what its transactions say",
        """SELECT e.id FROM earning e
           LEFT JOIN "transaction" t ON t.about_id = e.transaction_id AND t.kind = 'take_back'
           GROUP BY e.id, e.taken_back HAVING e.taken_back <> coalesce(sum(t.points), 0)""",
    ),
    (
        "spending: what came back is not what its transactions say",
        """SELECT s.id FROM spending s
           LEFT JOIN "transaction" t ON t.about_id = s.spent_id AND t.kind = 'restore'
           GROUP BY s.id, s.restored HAVING s.restored <> coalesce(sum(t.points), 0)""",
    ),
    (
        "spending: its lots gave another number of points",
        """SELECT s.id FROM spending s
           LEFT JOIN lot_movement m ON m.transaction_id = s.transaction_id AND m.points < 0
           GROUP BY s.id, s.points HAVING s.points <> -coalesce(sum(m.points), 0)""",
    ),
    (
        "customer: was merged, but has points",
        """SELECT m.customer_id FROM membership m JOIN account a ON a.customer_id = m.customer_id
           WHERE m.merged_into_id IS NOT NULL AND a.balance <> 0""",
    ),
    (
        "lot: has ended, but was used since",
        """SELECT id FROM lot WHERE expired_at IS NOT NULL AND remaining <> 0""",
    ),
)


def check(session: Session, progress: Callable[[int, int], None] | None = None) -> list[str]:
    """What is broken, one line each; empty when all adds up. `progress` hears (done, of how many) checks."""
    broken = []
    for done, (what, query) in enumerate(INVARIANTS):
        if progress:
            progress(done, len(INVARIANTS))
        ids = [row[0] for row in session.execute(text(f"SELECT * FROM ({query}) found LIMIT {SHOWN + 1}"))]  # noqa: S608 - constants above
        if ids:
            more = " and more" if len(ids) > SHOWN else ""
            broken.append(f"{what}: {', '.join(str(one) for one in sorted(ids[:SHOWN]))}{more}")
    if progress:
        progress(len(INVARIANTS), len(INVARIANTS))
    return broken
