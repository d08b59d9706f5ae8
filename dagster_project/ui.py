"""`make ui`: Dagster's pages and its daemon on the instance below `DEEPWARD_HOME`."""

import os
import sys
from pathlib import Path

from dagster_project.instance import prepare_home

WORKSPACE = Path(__file__).parents[1] / "workspace.yaml"


def main() -> None:
    """Becomes `dagster dev`; arguments are passed on, such as `--port 3001`."""
    prepare_home()
    dagster = Path(sys.executable).parent / "dagster"
    arguments = [str(dagster), "dev", "-w", str(WORKSPACE), *sys.argv[1:]]
    os.execv(dagster, arguments)


if __name__ == "__main__":
    main()
