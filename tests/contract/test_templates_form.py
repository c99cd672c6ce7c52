"""The limits of the forms are those of the actions behind them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ml_platform.actions.cancel import Input as CancelRequest
from ml_platform.job import JobRequest

TEMPLATES = Path(__file__).parents[2] / "templates"
LIMITS = ("pattern", "minLength", "maxLength", "minimum", "maximum")


def form_fields(template: str) -> dict[str, dict[str, Any]]:
    document = yaml.safe_load((TEMPLATES / template / "template.yaml").read_text())
    pages = document["spec"]["parameters"]
    return {name: field for page in pages for name, field in page["properties"].items()}


def limits(schema: dict[str, Any]) -> dict[str, Any]:
    """Of an optional field, those of what it holds when it is there."""
    parts = [schema, *schema.get("anyOf", [])]
    return {key: part[key] for part in parts for key in LIMITS if key in part}


@pytest.mark.parametrize(
    ("template", "model", "unlimited"),
    [
        # Pickers offer what there is, and a hidden field is filled in by a link.
        ("submit-training-job", JobRequest, {"training", "team", "pool", "priority", "parent"}),
        ("cancel-training-job", CancelRequest, set()),
    ],
)
def test_a_form_limits_a_field_as_its_action_does(
    template: str, model: type[Any], unlimited: set[str]
) -> None:
    asked = model.model_json_schema()["properties"]
    fields = {name: field for name, field in form_fields(template).items() if name not in unlimited}
    assert {name: limits(field) for name, field in fields.items()} == {
        name: limits(asked[name]) for name in fields
    }


@pytest.mark.parametrize("template", ["submit-training-job", "cancel-training-job"])
def test_a_field_with_limits_says_in_words_what_it_takes(template: str) -> None:
    for name, field in form_fields(template).items():
        assert not limits(field) or "errorMessage" in field, name
