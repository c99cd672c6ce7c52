"""Writes a figure at each step, at the pace that was asked for; fails where it was asked to."""

import json
import os
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit


def main() -> None:
    parameters = json.loads(os.environ["JOB_PARAMETERS"])
    attempt = int(os.environ["JOB_ATTEMPT"])
    folder = Path(unquote(urlsplit(os.environ["JOB_DIR"]).path))
    for step in range(1, parameters["steps"] + 1):
        loss = 1 / step
        print(f"step {step}: loss {loss:.4f}", flush=True)
        if step == parameters["fail_at"]:
            raise ValueError(f"loss is not finite at step {step}; lower the learning rate")
        row = {"step": step, "time": time.time(), "loss": loss}
        write(folder / "metrics" / f"{attempt}-{step:06d}.jsonl", json.dumps(row) + "\n")
        time.sleep(parameters["seconds_per_step"])
    write(folder / "results" / "summary.json", json.dumps({"loss": loss}))


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}")
    draft.write_text(text)
    draft.rename(path)


if __name__ == "__main__":
    main()
