"""ML Platform: what scripts and notebooks may import. Whatever is not named here is private."""

from ml_platform.errors import (
    AuthenticationError,
    ConflictError,
    InputError,
    JobFailed,
    MlPlatformError,
    NotAllowedError,
    NotFoundError,
    ServiceUnavailableError,
    WorkError,
)
from ml_platform.sdk import Job, Plan, PlatformClient

__all__ = [
    "AuthenticationError",
    "ConflictError",
    "InputError",
    "Job",
    "JobFailed",
    "MlPlatformError",
    "NotAllowedError",
    "NotFoundError",
    "Plan",
    "PlatformClient",
    "ServiceUnavailableError",
    "WorkError",
]
