"""`python -m ilab`."""

from ilab.cli.main import run

if __name__ == "__main__":
    run()
