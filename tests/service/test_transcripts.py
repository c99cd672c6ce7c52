"""The service's half of the transcripts that hold both ends of the actions protocol together."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict
from service_world import Service

from ml_platform import actions, errors
from ml_platform.actions.context import ActionContext

FOLDER = Path(__file__).parents[1] / "contract" / "actions"
# A service says no `progress` yet, and a connection that breaks is the network's doing.
SAYABLE = {"log", "output", "error"}


def _transcripts() -> list[dict[str, Any]]:
    found = []
    for path in sorted(FOLDER.glob("*.json")):
        transcript = json.loads(path.read_text(encoding="utf-8"))
        answers = transcript["service"]
        if transcript["conforming"] and len(answers) == 1 and answers[0].get("status") == 200:
            kinds = {line["type"] for line in answers[0]["lines"] if isinstance(line, dict)}
            names = {line["error"]["name"] for line in answers[0]["lines"] if "error" in line}
            if answers[0]["then"] == "end" and kinds <= SAYABLE and names <= set(errors._BY_NAME):
                found.append(transcript)
    return found


class _Input(BaseModel):
    model_config = ConfigDict(extra="allow")


class _Output(BaseModel):
    model_config = ConfigDict(extra="allow")


def test_there_are_transcripts_to_hold_to():
    assert len(_transcripts()) >= 5


@pytest.mark.parametrize("transcript", _transcripts(), ids=lambda transcript: transcript["name"])
def test_a_run_is_told_as_the_transcript_says(
    shared_service: Service, transcript: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    lines = transcript["service"][0]["lines"]
    request = transcript["request"]

    def run(_: BaseModel, ctx: ActionContext) -> BaseModel:
        for line in lines:
            if line["type"] == "log":
                ctx.log(line["message"], line["level"])
            elif line["type"] == "error":
                raise errors.error_from_dict(line["error"])
        return _Output(**lines[-1]["output"])

    action = SimpleNamespace(
        ID=request["action"],
        DESCRIPTION="Greets.",
        READ_ONLY=False,
        SUPPORTS_DRY_RUN=True,
        EXAMPLES=(),
        Input=_Input,
        Output=_Output,
        run=run,
    )
    monkeypatch.setitem(actions.ACTIONS, request["action"], actions.Action.of(action))  # type: ignore[arg-type]  # a module in all but name
    told = shared_service.run(
        request["action"], request["input"], "key", dry=request.get("dryRun", False)
    )
    assert [_plain(line) for line in told] == [_plain(line) for line in lines]


def _plain(line: dict[str, Any]) -> dict[str, Any]:
    """A line with what may be left out: `retryable` that is false, `hint` that is null."""
    if line["type"] != "error":
        return line
    error = {"retryable": False, **line["error"]}
    return {**line, "error": {name: value for name, value in error.items() if value is not None}}
