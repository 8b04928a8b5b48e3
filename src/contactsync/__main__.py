"""`python -m contactsync`: the same as `contactsync`, for whoever has the interpreter and no scripts."""

from contactsync.workers.cli.main import main

main()
