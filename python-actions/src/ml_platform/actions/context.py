"""What an action gets besides its input."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ml_platform.errors import ServiceUnavailableError
from ml_platform.service.auth import Principal

if TYPE_CHECKING:
    from ml_platform.service.platform import Platform

Level = Literal["info", "warn", "error"]


@dataclass(frozen=True)
class ActionContext:
    """The verified caller, the platform, and how to tell the caller what goes on."""

    platform: Platform
    principal: Principal
    idempotency_key: str
    dry_run: bool = False
    log: Callable[[str, Level], None] = lambda message, level: None
    cancelled: threading.Event = field(default_factory=threading.Event)

    def stop_if_cancelled(self) -> None:
        """Raise when the caller has gone; called before an effect, never in the middle of one."""
        if self.cancelled.is_set():
            raise ServiceUnavailableError("the caller closed the connection before the work began")
