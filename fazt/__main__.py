"""Run the `fazt` command with `python -m fazt`."""

from fazt.cli.main import main

if __name__ == "__main__":
    main()
