"""The search: SLSQP on the slack form of a problem with exact Jacobians, advanced a slice at a time.

SLSQP keeps what it has learnt of the curvature inside one long call. So that the driver can save,
show and schedule in between, that call runs on a thread of its own, which waits whenever its slice
of work is used up. Slices are counted in solves, not seconds: the path is the same on every
machine and load.

SLSQP's own memory cannot be saved. But it does the same again when it is told the same: a search
that continues another makes the last call anew with the answers in the journal, which takes no
solves, and arrives at the same point with the same memory, to the bit.
"""

import contextlib
import math
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.optimize

from stellar_optimization.problems.problem import Bound, Problem
from stellar_optimization.search.journal import Answer
from stellar_optimization.search.screening import TERMS, Screening, ScreeningModel
from stellar_optimization.search.search_state import FEASIBLE, LARGEST_BOX

MARGIN = 0.006  # part of the official tolerance of 0.01 that the search uses up
CONSTRAINT_WEIGHT = 5.0
SMALLEST_BOX = 0.005  # smallest change of a scaled variable in one call of SLSQP worth making
ITERATIONS = 25
FAILURES_IN_A_ROW = 5  # solves without equilibrium after which one call of SLSQP is given up
JACOBIAN_WORK = 2  # solves that one Jacobian costs
COUNTS = ("solves", "failed_solves", "jacobians")


@dataclass
class Progress:
    """Where a search stands: all that another one needs to continue it.

    x: best point by cost, which is merit plus roughness; values: the screening values there;
    origin: where the call of SLSQP under way began; journal: what that call was told, by point.
    sharpest: the point of least merit and its values, which roughness may have kept from being best.
    """

    x: np.ndarray
    values: np.ndarray | None = None
    cost: float = np.inf
    box: float = LARGEST_BOX
    solves: int = 0
    failed_solves: int = 0
    jacobians: int = 0
    settled: bool = False
    origin: np.ndarray | None = None
    journal: dict[bytes, Answer] = field(default_factory=dict)
    sharpest: tuple[np.ndarray, np.ndarray] | None = None


@dataclass
class Solved:
    """What a slice solved: points with their answers, and Jacobians of points solved in a slice before."""

    points: list[tuple[np.ndarray, Answer]] = field(default_factory=list)
    late: list[Answer] = field(default_factory=list)


class _Astray(Exception):
    """SLSQP wanders among boundaries without equilibrium, from where it finds no way back."""


def merit(problem: Problem, values: np.ndarray) -> float:
    """The objective, plus a penalty for violations beyond what the official score forgives."""
    excess = max(0.0, problem.violation(values[TERMS:]) - FEASIBLE)
    return float(values[:TERMS].max()) + problem.price * excess


def limits(model: ScreeningModel) -> list[tuple[int, Bound, float]]:
    """Place among the values, bound and limit of all that the search keeps to: bounds with MARGIN, guards.

    Those of one quantity follow each other.
    """
    problem = model.problem
    found = [(bound, _with_margin(bound)) for bound in problem.bounds]
    found += [(guard, guard.limit) for guard in problem.guards]
    places = {name: TERMS + place for place, name in enumerate(model.quantities)}
    kept = [(places[bound.quantity], bound, limit) for bound, limit in found]
    return sorted(kept, key=lambda entry: entry[0])


def _with_margin(bound: Bound) -> float:
    if bound.limit == 0.0:
        return bound.sign * MARGIN * bound.scale
    return bound.limit * (1 + math.copysign(MARGIN, bound.sign * bound.limit))


def room_left(model: ScreeningModel, values: np.ndarray) -> np.ndarray:
    """What is left of each of the `limits`, over the bound's scale; negative where one is violated."""
    kept = limits(model)
    return np.array(
        [bound.sign * (limit - values[place]) / bound.scale for place, bound, limit in kept]
    )


def room_slopes(model: ScreeningModel, jacobian: np.ndarray) -> np.ndarray:
    """Its derivatives, from those of the values."""
    kept = limits(model)
    return np.array([-bound.sign * jacobian[place] / bound.scale for place, bound, _ in kept])


def roughness(model: ScreeningModel, weight: float, x: np.ndarray) -> float:
    """The penalty on short wavelengths."""
    return float(weight * np.sum((model.roughness * x) ** 2))


class Search:
    """Improves `start` with a penalty of weight * |roughness * x|^2 on short wavelengths."""

    def __init__(
        self,
        model: ScreeningModel,
        progress: Progress,
        weight: float,
        nearer: Sequence[np.ndarray] = (),
    ) -> None:
        """`progress` is a new one of a start, or that of the search that this one continues.

        `nearer`: what to begin with instead, one after the other, while the start has no equilibrium.
        """
        self.model = model
        self.progress = progress
        self._weight = weight
        self._nearer = list(nearer)
        self._known = progress.journal  # answers to what SLSQP is going to ask
        self._points: dict[bytes, Screening | None] = {}
        self._last_jacobian: np.ndarray | None = None
        self._solved = Solved()
        self._failures = 0  # in a row
        self._allowance = 0
        self._granted: queue.Queue[None] = queue.Queue()
        self._finished: queue.Queue[BaseException | None] = queue.Queue()
        # A daemon: a paused search must not keep its process alive.
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def advance(self, work: int) -> Progress:
        """Do about `work` solves (a Jacobian is JACOBIAN_WORK); raises what the search raised."""
        if not self.progress.settled:
            self._allowance = work
            self._granted.put(None)
            if error := self._finished.get():
                raise error
        return self.progress

    def take_solved(self) -> Solved:
        """All that was solved since the last call; not while the search is under way."""
        solved, self._solved = self._solved, Solved()
        return solved

    def _run(self) -> None:
        self._granted.get()
        try:
            while not self.progress.settled:
                self._call()
        except BaseException as error:  # handed to the thread that waits in advance()
            self._finished.put(error)
        else:
            self._finished.put(None)

    def _pay(self, work: int) -> None:
        if self._allowance <= 0:
            self._finished.put(None)
            self._granted.get()
        self._allowance -= work

    def _call(self) -> None:
        """One call of SLSQP from the best point, then a smaller box if it brought little."""
        progress, box = self.progress, self.progress.box
        x = self._begin_call()
        start = self._screening(x)
        if start is None and self._nearer:
            progress.x, progress.origin = self._nearer.pop(0), None
            return
        if start is None or self._jacobian(x) is None:
            progress.settled = True
            return
        before = progress.cost
        # After a change of weight or box SLSQP may begin with steps that are far too long.
        with contextlib.suppress(_Astray):
            scipy.optimize.minimize(
                self._cost,
                np.append(x, start.objective),
                jac=self._cost_gradient,
                constraints={
                    "type": "ineq",
                    "fun": self._constraints,
                    "jac": self._constraint_jacobian,
                },
                bounds=[
                    *((value - box, value + box) for value in x),
                    self.model.problem.slack,
                ],
                method="SLSQP",
                options={"maxiter": ITERATIONS, "ftol": 1e-6},
            )
        if before - progress.cost < 1e-3:
            progress.box = 0.4 * box
        progress.settled = progress.box < SMALLEST_BOX
        progress.origin = None

    def _begin_call(self) -> np.ndarray:
        """The point to start from: the best one, or where the call to be repeated began."""
        progress = self.progress
        if progress.origin is None:
            progress.origin = progress.x.copy()
            kept = progress.journal.get(progress.origin.tobytes())
            self._known = {} if kept is None else {progress.origin.tobytes(): kept}
        progress.x, progress.values, progress.cost = progress.origin, None, np.inf
        progress.journal = {}
        self._points.clear()
        self._last_jacobian = None
        self._failures = 0
        return progress.origin

    def _screening(self, x: np.ndarray) -> Screening | None:
        key = x.tobytes()
        if key not in self._points:
            answer = self._known.get(key)
            if answer is None:
                self._pay(1)
                answer = Answer(self.model.evaluate(x.copy()))  # SLSQP reuses its array
                self.progress.solves += 1
                self.progress.failed_solves += answer.screening is None
                answer.solve = self.progress.solves
                self._solved.points.append((x.copy(), answer))
            self.progress.journal[key] = answer
            self._points[key] = point = answer.screening
            self._failures = self._failures + 1 if point is None else 0
            if point is not None:
                self._compare(x, point)
        return self._points[key]

    def _compare(self, x: np.ndarray, point: Screening) -> None:
        cost = merit(self.model.problem, point.official) + self._roughness(x)
        sharpest = self.progress.sharpest
        if sharpest is None or merit(self.model.problem, point.official) < merit(
            self.model.problem, sharpest[1]
        ):
            self.progress.sharpest = x.copy(), point.official
        if cost < self.progress.cost:
            self.progress.x, self.progress.values = x.copy(), point.official
            self.progress.cost = cost

    def _roughness(self, x: np.ndarray) -> float:
        return roughness(self.model, self._weight, x)

    def _jacobian(self, x: np.ndarray) -> np.ndarray | None:
        """At x; where there is none the last one, so that SLSQP can step back."""
        point = self._screening(x)
        answer = self.progress.journal[x.tobytes()]
        if point is not None and not answer.differentiated:
            self._pay(JACOBIAN_WORK)
            self.progress.jacobians += 1
            answer.jacobian = self.model.jacobian(point)
            answer.differentiated = True
            if all(answer is not known for _, known in self._solved.points):
                self._solved.late.append(answer)
        if answer.jacobian is not None:
            self._last_jacobian = answer.jacobian
        return self._last_jacobian

    # What SLSQP sees: y = (x, slack), where slack bounds the objective's terms from above.

    def _cost(self, y: np.ndarray) -> float:
        x = y[: self.model.size]
        return float(y[x.size]) + self._roughness(x)

    def _cost_gradient(self, y: np.ndarray) -> np.ndarray:
        x = y[: self.model.size]
        return np.append(2 * self._weight * self.model.roughness**2 * x, 1.0)

    def _constraints(self, y: np.ndarray) -> np.ndarray:
        """Non-negative where feasible: slacks of the terms, then limits."""
        size = self.model.size
        point = self._screening(np.ascontiguousarray(y[:size]))
        if point is None:
            if self._failures >= FAILURES_IN_A_ROW:
                raise _Astray
            return np.full(TERMS + len(limits(self.model)), -1.0)
        room = CONSTRAINT_WEIGHT * room_left(self.model, point.values)
        return np.concatenate([y[size] - point.values[:TERMS], room])

    def _constraint_jacobian(self, y: np.ndarray) -> np.ndarray:
        jacobian: Any = self._jacobian(np.ascontiguousarray(y[: self.model.size]))
        room = CONSTRAINT_WEIGHT * room_slopes(self.model, jacobian)
        rows = np.concatenate([-jacobian[:TERMS], room])
        slack = np.concatenate([np.ones(TERMS), np.zeros(len(room))])
        return np.column_stack([rows, slack])
