"""`python -m compose.cli`: what `./breakwater` runs once the virtual environment is there."""

from compose.cli.main import main

if __name__ == "__main__":
    main()
