"""Starts the command line; the imports of the server are kept out of the garbage collector."""

import gc
import sys


def run() -> None:
    # Importing the SDK makes some 300,000 objects that live as long as the process. Collecting
    # among them while they are made, and scanning them ever after, is work for nothing.
    gc.disable()
    from billing_mcp.cli import main  # noqa: PLC0415  has to come after the line above

    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
