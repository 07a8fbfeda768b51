"""The `innerloop` command. The commands live with the service; the SDK alone says how to get them."""

import importlib
import sys


def main() -> None:
    """Run the command line of the installed service, or say that only the SDK is here."""
    try:
        commands = importlib.import_module("app.cli.main")
    except ModuleNotFoundError as missing:
        if missing.name not in ("app", "app.cli", "app.cli.main"):
            sys.exit(
                f"innerloop: {missing.name} is not installed; install the service with its extra `service`"
            )
        sys.exit(
            "innerloop: this is the client library alone; run the command from a checkout of the service"
        )
    commands.main()


if __name__ == "__main__":
    main()
