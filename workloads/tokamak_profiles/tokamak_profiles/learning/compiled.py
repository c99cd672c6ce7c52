"""What JAX compiles is kept on the machine, for other processes and for later jobs."""

import os
import platform
from contextlib import suppress
from pathlib import Path

FOLDER = "JAX_COMPILATION_CACHE_DIR"


def keep_compiled() -> None:
    """Tell JAX, before it compiles anything; what the environment says about it stays.

    No result depends on it. Homes may be shared between machines, whose processors may differ.
    """
    if os.environ.get(FOLDER):
        return
    import jax

    with suppress(OSError, RuntimeError):  # nowhere to write: then each process compiles for itself
        root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = Path(root) / "tokamak_profiles" / f"jax-{platform.node()}"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
        # Else the folder's path is part of what a program is looked up by.
        jax.config.update("jax_persistent_cache_enable_xla_caches", "none")
