"""Errors as HTTP answers, in the one shape that they have everywhere."""

from __future__ import annotations

import json
from typing import Any

from fastapi.responses import JSONResponse

from ml_platform.errors import MlPlatformError


class AsciiJson(JSONResponse):
    """In ASCII: an error may quote half a character of the request, which UTF-8 cannot."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content).encode("ascii")


def error_answer(error: MlPlatformError, status: int | None = None) -> JSONResponse:
    """The answer with the error's own status unless another is given."""
    headers = {"WWW-Authenticate": "Bearer"} if error.http_status == 401 else None
    return AsciiJson(
        {"error": error.as_dict()}, status_code=status or error.http_status, headers=headers
    )
