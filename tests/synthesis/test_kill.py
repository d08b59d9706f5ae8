"""kill -9 at any moment: the next run ends with the bytes of an undisturbed one."""

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

# Says a word at every step, so that the test can kill it at a chosen one.
SCRIPT = """
    import os
    import signal
    import sys
    from pathlib import Path
    from deepward.synthesis import dataset, planning
    from deepward.synthesis.config import SynthesisConfig
    from deepward.synthesis.prompts import read_prompts

    if __name__ == "__main__":
        prompts, bases, out, workers, moves = sys.argv[1:]
        planning.BASES_PER_CHUNK = 2
        move, moved = os.rename, []

        def tell_move(source, target):
            move(source, target)
            if Path(target).parent == Path(out):
                print("moved", flush=True)
                moved.append(target)
                if len(moved) == int(moves):
                    os.kill(os.getpid(), signal.SIGKILL)

        os.rename = tell_move
        dataset.synthesize(
            read_prompts(Path(prompts)).specs,
            Path(bases),
            Path(out),
            SynthesisConfig(max=14),
            workers=int(workers),
            progress=lambda advance: print(advance.task, int(advance.done), flush=True),
        )
        print("end", flush=True)
"""


@pytest.fixture(scope="module")
def prompts(tmp_path_factory, spec) -> Path:
    specs = [
        spec("self_blend", "face"),
        spec("swap", "face"),
        spec("retouch", "eyes"),
        spec("splice", "background"),
    ]
    file = tmp_path_factory.mktemp("prompts") / "prompts.json"
    file.write_text(json.dumps([entry.model_dump(mode="json") for entry in specs]))
    return file


def run(
    prompts: Path,
    bases: Path,
    out: Path,
    kill_at: int | None = None,
    delay: float = 0.0,
    workers: int = 1,
    moves: int = 0,
) -> list[str]:
    """Runs the script, kills it after some words (or moves), returns the words."""
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT)]
    command += [str(argument) for argument in (prompts, bases, out, workers, moves)]
    words = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            words.append(line.strip())
            if len(words) == kill_at:
                time.sleep(delay)  # a moment between two words
                os.kill(process.pid, signal.SIGKILL)
                break
    return words


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "run.json"
    }


@pytest.fixture(scope="module")
def undisturbed(prompts, portraits, tmp_path_factory) -> tuple[Path, list[str]]:
    out = tmp_path_factory.mktemp("undisturbed") / "set"
    words = run(prompts, portraits, out)
    assert words[-1] == "end" and words.count("moved") >= 7
    assert not (out / "unfinished").exists()
    return out, words


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_killed_several_times_ends_with_the_same_bytes(
    prompts, portraits, undisturbed, tmp_path, workers
):
    expected, words = undisturbed
    rng = random.Random(workers)
    out = tmp_path / "set"
    for _ in range(4):
        run(prompts, portraits, out, rng.randint(1, len(words)), rng.uniform(0, 0.05), workers)
    assert run(prompts, portraits, out, workers=workers)[-1] == "end"
    assert tree(out) == tree(expected)


def made(words: list[str]) -> list[str]:
    """What a run told beside the scan of the bases, which it looks at anew."""
    return [word for word in words if not word.startswith("scan ")]


def test_a_run_killed_while_the_set_is_moved_into_place_is_completed(
    prompts, portraits, undisturbed, tmp_path
):
    expected, words = undisturbed
    out, count = tmp_path / "set", words.count("moved")
    run(prompts, portraits, out, moves=1)
    for moves in (2, count - 4):
        assert (out / "unfinished").is_dir()
        again = run(prompts, portraits, out, moves=moves)
        assert made(again) == ["moved"] * moves  # nothing was made a second time
    assert made(run(prompts, portraits, out)) == ["moved", "end"]
    assert tree(out) == tree(expected)


def test_what_was_made_before_the_kill_is_not_made_again(prompts, portraits, undisturbed, tmp_path):
    _, words = undisturbed
    out = tmp_path / "set"
    run(prompts, portraits, out, kill_at=words.index("moved") - 2)
    done = {path: path.stat().st_mtime_ns for path in (out / "unfinished/chunks").glob("*.json")}
    assert len(done) >= 3
    run(prompts, portraits, out, kill_at=words.index("moved") - 1)
    for path, time_ns in done.items():
        assert path.stat().st_mtime_ns == time_ns


def test_an_old_set_stands_until_the_new_one_is_whole(prompts, portraits, undisturbed, tmp_path):
    from deepward.synthesis.config import SynthesisConfig
    from deepward.synthesis.dataset import synthesize
    from deepward.synthesis.prompts import read_prompts

    out = tmp_path / "set"
    specs = read_prompts(prompts).specs
    synthesize(specs, portraits, out, SynthesisConfig(max=2, seed=9), workers=1)
    old = tree(out)
    run(prompts, portraits, out, kill_at=3)
    assert old.items() <= tree(out).items()
    run(prompts, portraits, out)
    assert tree(out) == tree(undisturbed[0])


def test_two_runs_do_not_work_in_one_folder(prompts, portraits, tmp_path):
    import fcntl

    from deepward.errors import SynthesisError
    from deepward.synthesis.config import SynthesisConfig
    from deepward.synthesis.dataset import synthesize
    from deepward.synthesis.prompts import read_prompts

    out = tmp_path / "set"
    (out / "unfinished").mkdir(parents=True)
    with (out / "unfinished" / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(SynthesisError, match="Another run"):
            synthesize(read_prompts(prompts).specs, portraits, out, SynthesisConfig(max=2))
