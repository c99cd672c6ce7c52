"""`python -m ml_platform.cli`: for programs that know the interpreter but not the script."""

from ml_platform.cli import main

main()
