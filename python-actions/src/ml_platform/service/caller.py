"""What routes depend on: the verified caller and the platform, set by `app.py`."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from ml_platform.errors import AuthenticationError
from ml_platform.service.auth import Principal, require_user
from ml_platform.service.platform import Platform


def principal_of(request: Request) -> Principal:
    """The caller that the middleware verified."""
    principal = request.scope.get("ml_platform.principal")
    if not isinstance(principal, Principal):
        raise AuthenticationError("this call needs a bearer token")
    return principal


def user_of(principal: Annotated[Principal, Depends(principal_of)]) -> Principal:
    """The caller, who must be a user."""
    return require_user(principal)


def platform_of(request: Request) -> Platform:
    platform = request.app.state.platform
    assert isinstance(platform, Platform)
    return platform
