# Read by other scripts: `cache` is where the project keeps, outside the tree, what is dear to make anew.
cache=${ML_PLATFORM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ml-platform}
