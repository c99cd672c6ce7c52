"""Every error the platform raises on purpose.

    MlPlatformError
    ├── InputError            the request is wrong; `field` names the culprit        400
    ├── AuthenticationError   no identity, or one that cannot be verified            401
    ├── NotAllowedError       a known user may not do this                           403
    ├── NotFoundError         no such job, pool, workload, action                    404
    ├── ConflictError         the same idempotency key with another body             409
    ├── ServiceUnavailableError   a part is down or too busy; worth trying again     503
    │   └── ClusterError      an API server refuses or does not answer; `status` is its own
    ├── WorkError             the platform tried and failed (a build, a start)       500
    └── JobFailed             a job that was waited for did not succeed; SDK only

The names are those of `@backstage/errors`, so that the task page shows the same class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from ml_platform.job_handle import Job


class MlPlatformError(Exception):
    """Base of the tree: a sentence for the user and, in `hint`, the way out."""

    name: ClassVar[str] = "Error"
    http_status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, field: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.hint = hint

    def as_dict(self) -> dict[str, Any]:
        """The error as it travels over HTTP and in the actions protocol."""
        body: dict[str, Any] = {"name": self.name, "message": self.message}
        if self.field:
            body["field"] = self.field
        if self.hint:
            body["hint"] = self.hint
        body["retryable"] = self.retryable
        return body

    def __str__(self) -> str:
        place = f"{self.field}: " if self.field else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}{self.message}{hint}"


class InputError(MlPlatformError):
    name = "InputError"
    http_status = 400


class AuthenticationError(MlPlatformError):
    name = "AuthenticationError"
    http_status = 401


class NotAllowedError(MlPlatformError):
    name = "NotAllowedError"
    http_status = 403


class NotFoundError(MlPlatformError):
    name = "NotFoundError"
    http_status = 404


class ConflictError(MlPlatformError):
    name = "ConflictError"
    http_status = 409


class ServiceUnavailableError(MlPlatformError):
    name = "ServiceUnavailableError"
    http_status = 503
    retryable = True


class ClusterError(ServiceUnavailableError):
    """`status`: the HTTP status of the API server's answer; 0 without an answer."""

    def __init__(self, message: str, *, status: int = 0, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class WorkError(MlPlatformError):
    name = "WorkError"
    http_status = 500


class JobFailed(MlPlatformError):
    """A job ended otherwise than by success; `job` is the job."""

    name = "JobFailed"

    def __init__(self, job: Job) -> None:
        view = job.view
        cause = view.cause or view.state.reason or "no cause was given"
        super().__init__(
            f"{job.id} {view.state.phase.value}: {cause}",
            hint=f"see {view.page_url} or `ml-platform logs {job.id}`",
        )
        self.job = job


_BY_NAME: dict[str, type[MlPlatformError]] = {
    cls.name: cls
    for cls in (
        InputError,
        AuthenticationError,
        NotAllowedError,
        NotFoundError,
        ConflictError,
        ServiceUnavailableError,
        WorkError,
    )
}


def error_from_dict(body: dict[str, Any]) -> MlPlatformError:
    """The error that `as_dict` wrote as an exception; an unknown name becomes the base class."""
    cls = _BY_NAME.get(str(body.get("name")), MlPlatformError)
    return cls(
        str(body.get("message", "no message")), field=body.get("field"), hint=body.get("hint")
    )
