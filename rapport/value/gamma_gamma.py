"""The gamma-gamma model: what a customer spends per purchase.

Peter S. Fader and Bruce G. S. Hardie, "The Gamma-Gamma Model of Monetary Value" (2013), brucehardie.com note
025. Each purchase of a customer is gamma distributed with shape p and a rate of their own, and those rates
are gamma distributed with shape q and rate v. It assumes that how much somebody spends does not depend on how
often they come.

Of each customer two numbers are needed: x purchases and their mean value m. Pure functions on arrays (scipy
is imported where something is fitted, see bgnbd.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LOWEST, HIGHEST = np.log(1e-3), np.log(1e5)
FLAT = 1e-4


@dataclass(frozen=True)
class GammaGamma:
    """Fitted parameters; v in the unit of the amounts."""

    p: float
    q: float
    v: float

    def as_tuple(self) -> tuple[float, float, float]:
        """p, q, v."""
        return self.p, self.q, self.v


@dataclass(frozen=True)
class Fit:
    """A maximum of the likelihood; `covariance` is that of the parameters' logarithms, None when there is
    none. `problem` says in words what is wrong, if anything.
    """

    parameters: GammaGamma
    log_likelihood: float
    covariance: Floats | None
    problem: str | None


def log_likelihood(parameters: GammaGamma, x: Floats, m: Floats) -> float:
    """The sum over all customers, all with x > 0 and m > 0; equation (1a) of the note in logarithms."""
    xs, x_of = np.unique(x, return_inverse=True)
    return _likelihood(np.log(parameters.as_tuple()), xs, x_of, m)[0]


def _likelihood(logs: Floats, xs: Floats, x_of: NDArray[np.intp], m: Floats) -> tuple[float, Floats]:
    """The log-likelihood and its gradient in the parameters' logarithms. `xs` are the different x."""
    from scipy.special import gammaln, psi

    p, q, v = np.exp(logs)
    count = np.bincount(x_of, minlength=len(xs)).astype(float)
    x, log_m = xs[x_of], np.log(m)
    log_all = np.log(v + x * m)
    shape = p * xs
    value = (
        count @ (gammaln(shape + q) - gammaln(shape) - gammaln(q) + q * np.log(v) + shape * np.log(xs))
        + ((p * x - 1) * log_m).sum()
        - ((p * x + q) * log_all).sum()
    )
    d_p = count @ (xs * (psi(shape + q) - psi(shape) + np.log(xs))) + (x * (log_m - log_all)).sum()
    d_q = count @ (psi(shape + q) - psi(q) + np.log(v)) - log_all.sum()
    d_v = len(m) * q / v - ((p * x + q) / (v + x * m)).sum()
    return float(value), np.array([d_p * p, d_q * q, d_v * v])


def fit(x: Floats, m: Floats) -> Fit:
    """The most likely parameters, by L-BFGS-B on their logarithms with the exact gradient.

    Only customers with x > 0 and m > 0 may be given. Amounts are counted in their own mean while fitting, so
    that the currency does not matter.
    """
    from scipy.optimize import minimize

    unit = float(m.mean())
    xs, x_of = np.unique(np.asarray(x, float), return_inverse=True)
    scaled = np.asarray(m, float) / unit
    n = len(scaled)

    def objective(logs: Floats) -> tuple[float, Floats]:
        value, gradient = _likelihood(logs, xs, x_of, scaled)
        return -value / n, -gradient / n

    found = minimize(
        objective,
        np.log([2.0, 3.0, 1.0]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(LOWEST, HIGHEST)] * 3,
        options={"maxiter": 500, "ftol": 1e-13, "gtol": 1e-8},
    )
    value, gradient = _likelihood(found.x, xs, x_of, scaled)
    p, q, v = (float(each) for each in np.exp(found.x))
    covariance = _covariance(found.x, xs, x_of, scaled)
    # In the amounts' own unit each density is 1 / unit of what it was.
    return Fit(
        GammaGamma(p, q, v * unit),
        value - n * float(np.log(unit)),
        covariance,
        _problem(found.x, float(np.abs(gradient).max()) / n, covariance),
    )


def _problem(logs: Floats, steep: float, covariance: Floats | None) -> str | None:
    if np.any(logs < LOWEST + 0.01) or np.any(logs > HIGHEST - 0.01):
        return "what customers spend per order hardly differs, or in no way the model knows"
    if logs[1] <= np.log(1.05):
        return "a few orders are so large that no mean can be told (q ≤ 1)"
    if steep > FLAT:
        return "the fit of what customers spend did not come to an end"
    if covariance is None:
        return "the data do not tell what customers spend per order"
    return None


def _covariance(
    logs: Floats, xs: Floats, x_of: NDArray[np.intp], m: Floats, step: float = 1e-4
) -> Floats | None:
    hessian = np.empty((3, 3))
    for i in range(3):
        move = np.zeros(3)
        move[i] = step
        above, below = _likelihood(logs + move, xs, x_of, m)[1], _likelihood(logs - move, xs, x_of, m)[1]
        hessian[i] = (above - below) / (2 * step)
    information = -(hessian + hessian.T) / 2
    try:
        np.linalg.cholesky(information)
    except np.linalg.LinAlgError:
        return None
    covariance = np.linalg.inv(information)
    return np.asarray((covariance + covariance.T) / 2, float)


def expected_value(parameters: GammaGamma, x: Floats, m: Floats) -> Floats:
    """What a customer's next purchases are worth on average: equation (5) of the note.

    A mean of their own and the shop's, where their own weighs more the more often they bought; for x = 0 it
    is the shop's. A negative m (more was paid back than bought) counts as 0.
    """
    p, q, v = parameters.as_tuple()
    return np.asarray(p * (v + x * np.maximum(m, 0.0)) / (p * x + q - 1), float)
