"""pip's settings, as uv understands them."""

from __future__ import annotations

from pathlib import Path

from ml_platform.build.package_index import uv_environment

CACHE = Path("/cache")


def test_pips_variables_are_translated(tmp_path: Path) -> None:
    given = {
        "HOME": str(tmp_path),
        "PIP_INDEX_URL": "https://mirror.example/simple",
        "PIP_EXTRA_INDEX_URL": "https://a.example https://b.example",
        "PIP_FIND_LINKS": f"{tmp_path} /does/not/exist",
        "PIP_CERT": "/ca.pem",
        "PIP_DEFAULT_TIMEOUT": "180",
        "PIP_CONFIG_FILE": "/dev/null",
    }
    assert uv_environment(given, CACHE) == {
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_INDEX": "https://a.example https://b.example",
        "UV_FIND_LINKS": str(tmp_path),
        "SSL_CERT_FILE": "/ca.pem",
        "UV_HTTP_TIMEOUT": "180",
    }


def test_what_the_user_set_for_uv_wins(tmp_path: Path) -> None:
    given = {
        "HOME": str(tmp_path),
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_INDEX_URL": "https://pip.example",
        "UV_DEFAULT_INDEX": "https://uv.example",
        "PIP_CERT": "/pip.pem",
        "SSL_CERT_FILE": "/own.pem",
    }
    assert uv_environment(given, CACHE) == {}


def test_pips_file_is_read_and_a_variable_is_stronger(tmp_path: Path) -> None:
    (tmp_path / ".config" / "pip").mkdir(parents=True)
    (tmp_path / ".config" / "pip" / "pip.conf").write_text(
        "[global]\nindex-url = https://file.example/%40\ncert = /file.pem\n"
    )
    assert uv_environment({"HOME": str(tmp_path)}, CACHE) == {
        "UV_DEFAULT_INDEX": "https://file.example/%40",
        "SSL_CERT_FILE": "/file.pem",
    }
    added = uv_environment({"HOME": str(tmp_path), "PIP_INDEX_URL": "https://v.example"}, CACHE)
    assert added["UV_DEFAULT_INDEX"] == "https://v.example"


def test_without_a_home_the_cache_has_another_place() -> None:
    added = uv_environment({"PIP_CONFIG_FILE": "/dev/null", "HOME": ""}, CACHE)
    assert added == {"UV_CACHE_DIR": "/cache"}
