"""`python -m contactsync` is the command `contactsync`."""

from contactsync.workers.cli.main import main

if __name__ == "__main__":
    main()
