"""`python -m rapport.cli`."""

from rapport.cli.main import main

main()
