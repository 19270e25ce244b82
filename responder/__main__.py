"""`python -m responder`: the same command line without an installed script."""

from responder.cli import main

main()
