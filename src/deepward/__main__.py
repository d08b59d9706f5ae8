"""`python -m deepward` is the same as `deepward`."""

from deepward.cli import main

if __name__ == "__main__":
    main()
