"""Jobs as hypothesis makes them: every value that a request may carry."""

# ruff: noqa: SIM905  # lists of these words would be mostly quotes

from __future__ import annotations

import string
from datetime import date

from hypothesis import strategies as st

from ml_platform.job import (
    HeadResources,
    JobSpec,
    Priority,
    job_id,
    key_hash,
    refuse_control_characters,
)
from ml_platform.render import Identity

NASTY = (
    "a\nb|---|...|# a|a: b|- a|&a *a|*a|<<: x|!!python/object:os.system|%YAML 1.1|\tx|no|on|yes|y|null|~|"
    ".inf|.nan|1e3|0x10|0o7|010|1_000|12:30:00|2026-01-01|5|${{ secrets.X }}|{{ x }}|{% x %}|$(HOME)|"
    "$$(HOME)|${HOME}|%s|{0}|;ls|a && b|`id`|$(id)|'|\"|\\|-rf|--address=x|../..|/etc/passwd|é|e\u0301|"
    "аdа|😀|@{u}|refs/heads/main|Signed-off-by: Eve <e@x>|Argocd-gpg-seal: x|<script>|@all"
).split("|")
INVISIBLE = [chr(code) for code in (0, 7, 0x0B, 0x0D, 0x1B, 0x7F, 0x85, 0x9F, 0xAD, 0x61C, 0x200B)]
INVISIBLE += [
    chr(code) for code in (0x200E, 0x2028, 0x2029, 0x202E, 0x2066, 0xFEFF, 0xD800, 0xE0041)
]


def _visible(text: str) -> bool:
    try:
        refuse_control_characters(text)
    except ValueError:
        return False
    return True


PLAIN_TEXT = st.one_of(st.sampled_from(NASTY), st.text(max_size=40)).filter(_visible)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | PLAIN_TEXT
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PLAIN_TEXT, inner, max_size=3),
)
MEMORY = st.sampled_from(["1Mi", "512Mi", "2Gi", "9999999Gi"])
LABELS = st.from_regex(r"\A[a-z]([-a-z0-9]{0,20}[a-z0-9])?\Z")
NAMES = st.from_regex(
    r"\A[a-z]([-a-z0-9]{0,29}[a-z0-9])?\Z"
)  # the longest that fit into a job's id
ENV_NAMES = st.from_regex(r"\A[A-Z_][A-Z0-9_]{0,20}\Z").map(lambda name: f"X_{name}")
IDENTITY = Identity("job-20260101-abcdef", "user:default/ada", "0" * 64, "1" * 64)


# As `service/user_reference.py` makes them: people, and accounts of the cluster.
ENTITY_NAMES = st.from_regex(r"\A[a-z0-9]([-_.a-z0-9]{0,61}[a-z0-9])?\Z")
OWNERS = st.builds("user:{}/{}".format, ENTITY_NAMES, ENTITY_NAMES)
DAYS = st.dates(date(2026, 1, 1), date(2099, 12, 31))


@st.composite
def job_specs(draw: st.DrawFn) -> JobSpec:
    return JobSpec(
        name=draw(NAMES),
        team=draw(LABELS),
        workload=draw(st.from_regex(r"\A[a-z]([a-z0-9_]{0,20}[a-z0-9])?\Z")),
        version=draw(st.text(string.ascii_letters, min_size=1, max_size=20)),
        image="registry.example.org/tiny@sha256:" + "0" * 64,
        entrypoint=tuple(draw(st.lists(PLAIN_TEXT, min_size=1, max_size=4))),
        parameters=draw(st.dictionaries(PLAIN_TEXT, JSON, max_size=4)),
        pool=draw(LABELS),
        workers=draw(st.integers(1, 1024)),
        cpu=draw(st.floats(0.1, 256)),
        memory=draw(MEMORY),
        gpus=draw(st.integers(0, 16)),
        head=HeadResources(cpu=draw(st.floats(0.1, 256)), memory=draw(MEMORY)),
        max_duration=draw(st.sampled_from(["1s", "10m", "12h", "14d"])),
        priority=draw(st.sampled_from(Priority)),
        attempts=draw(st.integers(1, 10)),
        env=draw(st.dictionaries(ENV_NAMES, PLAIN_TEXT, max_size=3)),
        parent=draw(st.none() | st.just("old-20260101-abcdef")),
        resume_from=draw(st.none() | st.just("old-20260101-abcdef")),
        tags=tuple(draw(st.lists(st.from_regex(r"\A[a-z0-9]{1,10}\Z"), max_size=3))),
    )


@st.composite
def submitted_jobs(draw: st.DrawFn) -> tuple[JobSpec, Identity]:
    """A job with who asked for it, under which key and on which day."""
    spec, owner, key = draw(job_specs()), draw(OWNERS), draw(st.text(min_size=1, max_size=40))
    hashed = key_hash(owner, key)
    return spec, Identity(job_id(spec.name, draw(DAYS), hashed), owner, hashed, "1" * 64)
