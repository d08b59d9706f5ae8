"""What each synthesis engine teaches about fakes of known origin: engines x families.

    python benchmarks/teaching.py --domains DIR [--base NAME] [--fakes 100] [--engine NAME ...]

Real pictures of one domain (`--base`; by default one without fakes, where there is one) are changed
by each engine. A closed-form member that knows all domains but those of a family, and the changed
pictures as they were, is set against one that was shown the fakes too; both judge the fakes and
reals of that family. A line per engine and domain: AUC without and with the engine's fakes, the
paired difference with its 95 % interval (groups are drawn), and whether that teaches: a sure gain
that ends surely above chance.

The same table as the asset `teaching_table` makes of few-shot sets; here every engine is made to
carry out whatever its edit specs ask for.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ENGINES = ("self_blend", "swap", "resynthesize", "splice", "retouch")
REGIONS = {"self_blend": ("face",), "swap": ("face",)}
ANYWHERE = ("face", "eyes", "mouth", "hair")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--domains", type=Path, required=True)
    parser.add_argument("--base", default="")
    parser.add_argument("--fakes", type=int, default=100, help="of each engine")
    parser.add_argument("--engine", nargs="*", choices=ENGINES, default=ENGINES)
    parser.add_argument("--detector", default="default")
    parser.add_argument("--descriptions", type=Path, help="a store to use again")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        lessons = run(options, Path(scratch))
    for each in lessons:
        gain = f"{each.gain.value:+.3f} [{each.gain.low:+.3f}, {each.gain.high:+.3f}]"
        print(
            f"{each.engine:13} {each.family:18} {each.domain:18} fakes {each.fakes:3}  "
            f"AUC {each.before.value:.3f} -> {each.after.value:.3f}  {gain}"
            f"{'  teaches' if each.teaches else ''}",
            flush=True,
        )
    if options.json:
        options.json.write_text(json.dumps([each.as_dict() for each in lessons], indent=1))


def run(options: Any, scratch: Path) -> Any:
    from deepward.detectors import Descriptions, find_recipe
    from deepward.domains import find_domains, scan_domain
    from deepward.evaluation.teaching import TeachingConfig, measure_lessons

    names = find_domains(options.domains)
    manifests = {name: scan_domain(options.domains / name) for name in names}
    base = options.base or base_of(manifests)
    made = None
    for engine in options.engine:
        begun = time.monotonic()
        folder = scratch / f"fewshot_{engine}"
        make(engine, manifests[base], folder, options)
        few = read(scan_domain(folder), scratch)
        print(f"{engine}: {int(few.labels.sum())} fakes in {time.monotonic() - begun:.0f} s")
        few = few.subset(np.flatnonzero(np.array(few.splits) != "test"))
        made = few if made is None else made.joined(few)
    whole = {name: read(each, scratch) for name, each in manifests.items()}
    held = whole[base].subset(np.flatnonzero(np.array(whole[base].splits) == "test"))
    begun = time.monotonic()
    lessons = measure_lessons(
        find_recipe(options.detector).members[0],
        list(whole.values()),
        made,
        seen={base: held},
        config=TeachingConfig(seed=options.seed),
        descriptions=Descriptions(options.descriptions or scratch / "rows.db"),
    )
    print(f"base {base}; {len(lessons)} lessons in {time.monotonic() - begun:.0f} s\n")
    return lessons


def base_of(manifests: Any) -> str:
    """A domain of reals alone, else the first."""
    alone = [name for name, each in manifests.items() if not _fakes(each)]
    return (alone or list(manifests))[0]


def _fakes(manifest: Any) -> int:
    return int((manifest.usable()["label"] == 1).sum())


def make(engine: str, manifest: Any, folder: Path, options: Any) -> None:
    from deepward.synthesis import SynthesisConfig, synthesize
    from deepward.techniques.specs import EditSpec

    specs = [
        EditSpec(
            id=f"{engine}-{place}",
            technique="benchmark",
            region=region,
            operation=engine,
            positive_prompt=f"{region} of another person",
            negative_prompt="a drawing",
            strength=1.0,
            seed=place,
            pattern="benchmark-1",
            chunk_ids=("none",),
        )
        for place, region in enumerate(REGIONS.get(engine, ANYWHERE))
    ]
    synthesize(specs, manifest, folder, SynthesisConfig(max=options.fakes, seed=options.seed))


def read(manifest: Any, scratch: Path) -> Any:
    from deepward.domains import build_cache, load_images

    cache = build_cache(manifest, scratch / "pixels" / manifest.domain)
    return load_images([manifest], [cache], None)


if __name__ == "__main__":
    main()
