"""What is wrong in a file that people edit, as one sentence with file and key."""

from __future__ import annotations

import yaml
from pydantic import ValidationError

from ml_platform.errors import InputError


def file_error(file: str, field: str, error: yaml.YAMLError | ValidationError) -> InputError:
    """The first finding in `file`; `field` is what the error is about for the caller."""
    if isinstance(error, yaml.YAMLError):
        return InputError(f"{file} is not YAML as it is used here: {error}", field=field)
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return InputError(f"{file}: {key}: {message}" if key else f"{file}: {message}", field=field)
