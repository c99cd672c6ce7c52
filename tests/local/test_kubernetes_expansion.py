from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_platform.local.kubernetes_expansion import expand, expand_all
from ml_platform.pod_template import escape_expansion

VARIABLES = {"A": "1", "B": "$(A)", "EMPTY": ""}


# From kubernetes/third_party/forked/golang/expansion/expand_test.go, with these variables.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)", "1"),
        ("___$(A)___$(EMPTY)", "___1___"),
        ("$(B)", "$(A)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$$$$(A)", "$$(A)"),
        ("$(UNKNOWN)", "$(UNKNOWN)"),
        ("$(A", "$(A"),
        ("$(A$(A)", "$(A$(A)"),
        ("$A ${A}", "$A ${A}"),
        ("$()", "$()"),
        ("$", "$"),
        ("$$", "$"),
        ("$(A)$", "1$"),
    ],
)
def test_references_expand_as_the_kubelet_does_it(text: str, expected: str) -> None:
    assert expand(text, VARIABLES) == expected


@given(st.text())
def test_what_the_renderer_escapes_comes_back(text: str) -> None:
    assert expand(escape_expansion(text), VARIABLES) == text


def test_a_value_may_refer_to_variables_before_it_only() -> None:
    entries = [("A", "$(B)"), ("B", "$(A)!"), ("C", "$(B)")]
    assert expand_all(entries) == {"A": "$(B)", "B": "$(B)!", "C": "$(B)!"}
