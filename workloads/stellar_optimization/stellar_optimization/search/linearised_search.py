"""The search for problems whose starts are far from feasible: steps on a model that bends as the measures do.

A quasi-isodynamic residual is a mean of squares, of which a straight line says little a short step away. So
each step is made on a model in which only VMEC++'s answer (axis, transform, field on the boundary) is taken
as linear, and what is measured of it is computed as it is (the prox-linear method: J. V. Burke, Math.
Programming 33, 260, 1985; Gauss-Newton for other than squares). The step stays in a box, which grows where
the model was right and shrinks where it was not.

Between two steps nothing has to be remembered but the point and the box: a search that continues another one
makes the same next step, to the bit.
"""

from collections.abc import Sequence

import numpy as np
import scipy.optimize

from stellar_optimization.search.journal import Answer
from stellar_optimization.search.screening import TERMS, Linearised, Screening, ScreeningModel
from stellar_optimization.search.search import (
    Progress,
    Solved,
    merit,
    room_left,
    room_slopes,
    roughness,
)

SMALLEST_BOX = 1e-4  # smallest change of a scaled variable worth trying
LARGEST_BOX = 0.1
SHRINKING = 0.35  # of the box after a step that did not keep its promise
GROWING = 2.0  # after one that kept at least KEPT of it
KEPT = 0.5
TAKEN = 0.05  # share of the promise from which on a step is taken
# Promised gain, in the objective's unit, per unit of the box, below which a step is not worth a solve.
WORTHWHILE = 0.1
JACOBIAN_WORK = 8  # solves that the derivatives of all that is linear cost
ITERATIONS = 150  # of SLSQP on the model, which takes no solve
PRECISION = 1e-5


class LinearisedSearch:
    """Improves a start with a penalty of weight * |roughness * x|^2 on short wavelengths."""

    def __init__(
        self,
        model: ScreeningModel,
        progress: Progress,
        weight: float,
        nearer: Sequence[np.ndarray] = (),
    ) -> None:
        """As `search.Search`; `progress.journal` holds the answer at its point, once there is one."""
        self.model, self.progress = model, progress
        self._weight, self._nearer = weight, list(nearer)
        self._price = model.problem.price
        self._solved = Solved()

    def advance(self, work: int) -> Progress:
        """Do about `work` solves (derivatives count as JACOBIAN_WORK)."""
        while work > 0 and not self.progress.settled:
            work -= self._iterate()
        return self.progress

    def take_solved(self) -> Solved:
        """All that was solved since the last call."""
        solved, self._solved = self._solved, Solved()
        return solved

    def _iterate(self) -> int:
        """One step, or the end of the search; returns the work that it took."""
        progress = self.progress
        known = self._known()
        linear = None if known.screening is None else self.model.linearised(known.screening)
        if linear is None:
            progress.settled = True
            return 1
        self._differentiate(known, linear)
        before = progress.solves
        while not (progress.settled or self._step(linear)):
            pass
        return JACOBIAN_WORK + progress.solves - before

    def _known(self) -> Answer:
        """The answer at the point; of a new search at the start, or the first of `nearer` that has one."""
        progress = self.progress
        answer = progress.journal.get(progress.x.tobytes()) or self._solve(progress.x)
        while answer.screening is None and self._nearer:
            progress.x = self._nearer.pop(0)
            answer = self._solve(progress.x)
        if progress.values is None and answer.screening is not None:
            self._take(answer.screening, answer)
        return answer

    def _solve(self, x: np.ndarray) -> Answer:
        answer = Answer(self.model.evaluate(x))
        self.progress.solves += 1
        self.progress.failed_solves += answer.screening is None
        answer.solve = self.progress.solves
        self._solved.points.append((x, answer))
        return answer

    def _differentiate(self, known: Answer, linear: Linearised) -> None:
        """Record the derivatives at the point, for whoever learns from the rows."""
        self.progress.jacobians += 1
        known.jacobian = linear.jacobian(np.zeros(self.model.size))
        if all(known is not answer for _, answer in self._solved.points):
            self._solved.late.append(known)

    def _take(self, point: Screening, answer: Answer) -> None:
        progress = self.progress
        progress.x, progress.origin = point.x, point.x
        progress.values, progress.cost = point.official, self.cost(point.x, point.values)
        progress.journal = {point.x.tobytes(): answer}
        problem, sharpest = self.model.problem, progress.sharpest
        if sharpest is None or merit(problem, point.official) < merit(problem, sharpest[1]):
            progress.sharpest = point.x, point.official

    def _step(self, linear: Linearised) -> bool:
        """Try the model's best step in the box; whether it was taken."""
        progress = self.progress
        step = self.best_step(linear)
        promised = progress.cost - self.cost(progress.x + step, linear.values(step))
        if promised < WORTHWHILE * progress.box:
            self._shrink()
            return False
        answer = self._solve(progress.x + step)
        point = answer.screening
        gained = -np.inf if point is None else progress.cost - self.cost(point.x, point.values)
        if point is None or gained < TAKEN * promised:
            self._shrink()
            return False
        self._take(point, answer)
        if gained > KEPT * promised:
            progress.box = min(GROWING * progress.box, LARGEST_BOX)
        return True

    def _shrink(self) -> None:
        self.progress.box *= SHRINKING
        self.progress.settled = self.progress.box < SMALLEST_BOX

    def cost(self, x: np.ndarray, values: np.ndarray) -> float:
        """What the search makes small: objective, price of the largest violation, roughness."""
        stretch = max(0.0, -float(room_left(self.model, values).min()))
        return float(values[:TERMS].max()) + self._price * stretch + self._roughness(x)

    def _roughness(self, x: np.ndarray) -> float:
        return roughness(self.model, self._weight, x)

    def best_step(self, linear: Linearised) -> np.ndarray:
        """The best step of those that SLSQP tries on the model, none if none is better.

        Its variables are y = (step / box, slack above the objective's terms, cost of the limits' stretch),
        all of a size: with step and stretch themselves its least squares fail in small boxes.
        """
        x, size, box, price = self.progress.x, self.model.size, self.progress.box, self._price
        seen: dict[str, np.ndarray] = {}
        best, best_cost = np.zeros(size), self.progress.cost

        def values(y: np.ndarray) -> np.ndarray:
            nonlocal best, best_cost
            step = box * y[:size]
            if "step" not in seen or not np.array_equal(seen["step"], step):
                seen.clear()
                seen["step"], seen["values"] = step, linear.values(step)
                found = self.cost(x + step, seen["values"])
                if found < best_cost:
                    best, best_cost = step, found
            return seen["values"]

        def model_cost(y: np.ndarray) -> float:
            return float(y[size] + y[-1]) + self._roughness(x + box * y[:size])

        def gradient(y: np.ndarray) -> np.ndarray:
            smooth = 2 * self._weight * self.model.roughness**2 * (x + box * y[:size])
            return np.append(box * smooth, [1.0, 1.0])

        def constraints(y: np.ndarray) -> np.ndarray:
            found = values(y)
            room = price * room_left(self.model, found)
            return np.concatenate([y[size] - found[:TERMS], room + y[-1]])

        def constraint_jacobian(y: np.ndarray) -> np.ndarray:
            slopes = box * linear.jacobian(box * y[:size])
            room = price * room_slopes(self.model, slopes)
            slack = np.repeat([[1.0, 0.0], [0.0, 1.0]], [TERMS, len(room)], 0)
            return np.column_stack([np.concatenate([-slopes[:TERMS], room]), slack])

        here = linear.values(best)
        stretch = max(0.0, -float(room_left(self.model, here).min()))
        scipy.optimize.minimize(
            model_cost,
            np.concatenate([np.zeros(size), [here[:TERMS].max(), price * stretch]]),
            jac=gradient,
            constraints={"type": "ineq", "fun": constraints, "jac": constraint_jacobian},
            bounds=[*[(-1.0, 1.0)] * size, self.model.problem.slack, (0.0, None)],
            method="SLSQP",
            options={"maxiter": ITERATIONS, "ftol": PRECISION},
        )
        return best
