"""The BG/NBD model: how often customers come back, and whether they still do.

Peter S. Fader, Bruce G. S. Hardie and Ka Lok Lee, "Counting Your Customers the Easy Way: An Alternative to
the Pareto/NBD Model", Marketing Science 24 (2005), 275–284. A customer buys at a rate of their own (gamma
distributed with shape r and rate alpha) until, after any purchase, they leave with a probability of their
own (beta distributed with a and b).

Of each customer three numbers are needed, times in one unit (we use weeks):
x    on how many later days they came back after the first purchase
t_x  from the first to the last purchase
T    from the first purchase to now

Pure functions on arrays. No gamma function of a large number is ever taken outside a logarithm, and the
expectation is integrated by Gauss-Jacobi quadrature instead of evaluating the hypergeometric function of the
paper, which has a pole at a = 1 and loses digits for busy customers.

scipy, which takes a second to load, is imported where something is fitted: to look ahead, as after each
order, numpy is enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

START = (1.0, 5.0, 1.0, 3.0)
# Beyond these a parameter means "everybody alike" or "nobody ever leaves": no estimate, but the lack of one.
LOWEST, HIGHEST = np.log(1e-4), np.log(1e5)
NODES = 48
# The gradient per customer, in logarithms of the parameters, below which the top counts as reached.
FLAT = 1e-4


@dataclass(frozen=True)
class BgNbd:
    """Fitted parameters; times in the unit of the data."""

    r: float
    alpha: float
    a: float
    b: float

    def as_tuple(self) -> tuple[float, float, float, float]:
        """r, alpha, a, b."""
        return self.r, self.alpha, self.a, self.b


@dataclass(frozen=True)
class Fit:
    """A maximum of the likelihood. `covariance` is that of the parameters' logarithms; None when the top is
    so flat that the data do not tell the parameters. `problem` says in words what is wrong, if anything.
    """

    parameters: BgNbd
    log_likelihood: float
    covariance: Floats | None
    rows: int
    problem: str | None


@dataclass(frozen=True)
class _Data:
    """Rows with how many customers have them. What depends on few different values is looked up by `_of`."""

    x: Floats
    x_of: Ints
    age: Floats
    age_of: Ints
    last: Floats
    last_of: Ints
    repeated: NDArray[np.bool_]
    count: Floats

    @property
    def customers(self) -> float:
        return float(self.count.sum())


def _data(x: Floats, t_x: Floats, age: Floats) -> _Data:
    """Customers with the same three numbers are one row, which loses nothing."""
    rows, counts = np.unique(np.column_stack([x, t_x, age]), axis=0, return_counts=True)
    parts = [np.unique(rows[:, i], return_inverse=True) for i in (0, 2, 1)]
    (xs, x_of), (ages, age_of), (lasts, last_of) = [(v, i.astype(np.int64)) for v, i in parts]
    return _Data(xs, x_of, ages, age_of, lasts, last_of, rows[:, 0] > 0, counts.astype(np.float64))


def log_likelihood(parameters: BgNbd, x: Floats, t_x: Floats, age: Floats) -> float:
    """The sum over all customers; equation (6) of the paper, taken in logarithms."""
    return _likelihood(np.log(parameters.as_tuple()), _data(x, t_x, age))[0]


def _likelihood(logs: Floats, data: _Data) -> tuple[float, Floats]:
    """The log-likelihood and its gradient in the parameters' logarithms.

    In the notation of the paper's appendix: A1 + A2 + ln(exp A3 + exp A4), the latter only where x > 0.
    """
    from scipy.special import gammaln, psi

    r, alpha, a, b = np.exp(logs)
    x = data.x
    b_x = b + x - 1
    b_x[x == 0] = 1.0  # not used, but must have a logarithm
    common = (
        gammaln(r + x) - gammaln(r) + r * np.log(alpha)
        + gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
    )  # fmt: skip
    log_age, log_last = np.log(alpha + data.age)[data.age_of], np.log(alpha + data.last)[data.last_of]
    shape = (r + x)[data.x_of]
    alive = -shape * log_age
    left = np.where(data.repeated, np.log(a) - np.log(b_x)[data.x_of] - shape * log_last, -np.inf)
    either = np.logaddexp(alive, left)
    n = data.count
    value = float(n @ (common[data.x_of] + either))

    weight_left = np.exp(left - either)
    weight_alive = 1.0 - weight_left
    by_x = np.bincount(data.x_of, weights=n, minlength=len(x))
    left_by_x = np.bincount(data.x_of, weights=n * weight_left, minlength=len(x))
    in_age, in_last = 1 / (alpha + data.age)[data.age_of], 1 / (alpha + data.last)[data.last_of]
    customers = by_x.sum()
    d_r = by_x @ (psi(r + x) - psi(r) + np.log(alpha)) - n @ (weight_alive * log_age + weight_left * log_last)
    d_alpha = customers * r / alpha - n @ (shape * (weight_alive * in_age + weight_left * in_last))
    d_a = by_x @ (psi(a + b) - psi(a + b + x)) + left_by_x.sum() / a
    d_b = by_x @ (psi(a + b) + psi(b + x) - psi(b) - psi(a + b + x)) - left_by_x @ (1 / b_x)
    return value, np.array([d_r * r, d_alpha * alpha, d_a * a, d_b * b])


def fit(x: Floats, t_x: Floats, age: Floats) -> Fit:
    """The most likely parameters, by L-BFGS-B on their logarithms with the exact gradient."""
    from scipy.optimize import minimize

    data = _data(np.asarray(x, float), np.asarray(t_x, float), np.asarray(age, float))

    def objective(logs: Floats) -> tuple[float, Floats]:
        value, gradient = _likelihood(logs, data)
        return -value / data.customers, -gradient / data.customers

    start = np.log(START)
    # A rate of about one purchase per unit is a fair beginning only in the right unit.
    start[1] = np.log(max(float(data.age.max()), 1e-3) / 8)
    found = minimize(
        objective,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(LOWEST, HIGHEST)] * 4,
        options={"maxiter": 500, "ftol": 1e-13, "gtol": 1e-8},
    )
    value, gradient = _likelihood(found.x, data)
    r, alpha, a, b = (float(value) for value in np.exp(found.x))
    covariance = _covariance(found.x, data)
    steep = float(np.abs(gradient).max()) / data.customers
    problem = _problem(found.x, steep, covariance)
    return Fit(BgNbd(r, alpha, a, b), value, covariance, len(data.count), problem)


def _problem(logs: Floats, steep: float, covariance: Floats | None) -> str | None:
    names = ("r", "alpha", "a", "b")
    edge = [name for name, log in zip(names, logs, strict=True) if not LOWEST + 0.01 < log < HIGHEST - 0.01]
    if "a" in edge or "b" in edge or np.exp(logs[2]) < 0.01 or logs[2] - logs[3] < np.log(0.001):
        return "hardly anybody ever seems to leave (a → 0), so the model cannot tell who has"
    if edge:
        return f"the fit ran away ({', '.join(edge)} has no best value)"
    if steep > FLAT:
        return "the fit did not come to an end"
    if covariance is None:
        return "the data do not tell the model's parameters"
    return None


def _covariance(logs: Floats, data: _Data, step: float = 1e-4) -> Floats | None:
    """The inverse of the observed information, from differences of the exact gradient."""
    size = len(logs)
    hessian = np.empty((size, size))
    for i in range(size):
        move = np.zeros(size)
        move[i] = step
        above, below = _likelihood(logs + move, data)[1], _likelihood(logs - move, data)[1]
        hessian[i] = (above - below) / (2 * step)
    information = -(hessian + hessian.T) / 2
    try:
        np.linalg.cholesky(information)
        covariance = np.linalg.inv(information)
    except np.linalg.LinAlgError:
        return None
    return np.asarray((covariance + covariance.T) / 2, float)


def p_alive(parameters: BgNbd, x: Floats, t_x: Floats, age: Floats) -> Floats:
    """The probability that a customer has not left.

    Peter S. Fader and Bruce G. S. Hardie, "Computing P(alive) Using the BG/NBD Model" (2008), brucehardie.com
    note 021. It is 1 for everyone who never came back (the model lets people leave only after a repeat
    purchase), which is why it is no measure of loyalty: see `p_buys`.
    """
    r, alpha, a, b = parameters.as_tuple()
    shape = r + x
    with np.errstate(divide="ignore"):
        log_odds = (
            np.log(a) - np.log(np.maximum(b + x - 1, 1e-300)) + shape * np.log((alpha + age) / (alpha + t_x))
        )
    log_odds = np.where(x > 0, log_odds, -np.inf)
    return np.asarray(np.exp(-np.logaddexp(0.0, log_odds)), float)


def p_buys(parameters: BgNbd, x: Floats, t_x: Floats, age: Floats, t: float) -> Floats:
    """The probability of at least one purchase within the next `t`: P(X(t) > 0 | x, t_x, T).

    Who is still there at T keeps a rate that is gamma distributed with shape r + x and rate alpha + T, so no
    purchase has the probability E[exp(-rate t)] = ((alpha + T) / (alpha + T + t)) ** (r + x). (That someone
    leaves matters only after a purchase.) Who has left buys nothing.
    """
    r, alpha = parameters.r, parameters.alpha
    some = -np.expm1((r + x) * -np.log1p(t / (alpha + age)))
    return np.asarray(p_alive(parameters, x, t_x, age) * some, float)


def expected_if_alive(parameters: BgNbd, x: Floats, age: Floats, t: Floats) -> Floats:
    """Expected purchases within each of the times `t` (one column each) of customers who are still there.

    The factor of equation (10) of the paper that holds for whoever is alive, as the integral it comes from:
    of E[(1 - exp(-rate p t)) / p] over the rate (gamma with r + x, alpha + T) and the probability p to leave
    (beta with a and b + x).
    """
    r, alpha = parameters.r, parameters.alpha
    result = np.empty((len(x), len(t)))
    for value in np.unique(x):
        rows = np.flatnonzero(x == value)
        leaves, weights = _beta_nodes(parameters.a, parameters.b + float(value))
        reach = leaves[None, None, :] * t[None, :, None] / (alpha + age[rows])[:, None, None]
        bought = -np.expm1(-(r + value) * np.log1p(reach)) / leaves
        result[rows] = bought @ weights
    return result


def expected(parameters: BgNbd, x: Floats, t_x: Floats, age: Floats, t: float) -> Floats:
    """Expected purchases within the next `t`, equation (10) of the paper."""
    alive = p_alive(parameters, x, t_x, age)
    return np.asarray(alive * expected_if_alive(parameters, x, age, np.array([t]))[:, 0], float)


@lru_cache(maxsize=4096)
def _beta_nodes(a: float, b: float) -> tuple[Floats, Floats]:
    """Nodes and weights (their sum is 1) to take expectations of smooth functions of a beta variable.

    Golub and Welsch, "Calculation of Gauss Quadrature Rules", Mathematics of Computation 23 (1969): from the
    recurrence of the Jacobi polynomials, without any gamma function, so that b may be in the thousands.
    """
    up, down = b - 1.0, a - 1.0
    n = np.arange(1, NODES, dtype=float)
    both = up + down
    diagonal = np.empty(NODES)
    diagonal[0] = (down - up) / (both + 2)
    diagonal[1:] = (down**2 - up**2) / ((2 * n + both) * (2 * n + both + 2))
    square = np.empty(NODES - 1)
    square[0] = 4 * (1 + up) * (1 + down) / ((2 + both) ** 2 * (3 + both))
    n = n[1:]
    square[1:] = (
        4 * n * (n + up) * (n + down) * (n + both)
        / ((2 * n + both) ** 2 * (2 * n + both + 1) * (2 * n + both - 1))
    )  # fmt: skip
    beside = np.sqrt(square)
    nodes, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1))
    return np.maximum((1 + nodes) / 2, 1e-300), vectors[0] ** 2
