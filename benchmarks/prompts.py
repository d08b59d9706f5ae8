"""How many of the agents' prompts are of use, by a rule that anybody can apply.

    python benchmarks/prompts.py [FOLDER] [--prompts 15]

The algorithms write prompts from the documents of a folder: for four techniques, and for a brief
that leaves it open. A prompt is of use when it

- names the region of its pattern,
- says what its pattern changes the region into: at least half of the words of the target,
- names an operation that engines can do to this region for this technique,
- says of the rest of the picture nothing: a prompt is written before anybody knows which picture
  it will change. Words count that stand neither in the pattern nor in what the taxonomy and the
  prompt generator say about how a change looks.
"""

import argparse
import json
import re
import tempfile
from collections import Counter
from itertools import chain
from pathlib import Path

from deepward.agents.backends.extractive import ExtractiveBackend
from deepward.agents.brief import run_brief
from deepward.agents.schemas import AGENTS
from deepward.knowledge import base, ingested
from deepward.knowledge.embedding import load_encoder
from deepward.knowledge.settings import KnowledgeFiles, KnowledgeSettings
from deepward.techniques.specs import AttackPattern, Brief, EditSpec
from deepward.techniques.taxonomy import load_taxonomy

TECHNIQUES = ("face-swap", "stable-diffusion-inpainting", "attribute-edit", "lip-sync", "")

LEAST_TARGET = 0.5
MOST_ELSEWHERE = 0
CHANGES = Path(__file__).parents[1] / "src/deepward/agents/extractive/changes.yaml"


def words_of(*texts: str) -> set[str]:
    """Beginnings of the words of three letters and more."""
    found = {word[:5] for text in texts for word in re.findall(r"[a-z]{3,}", text.casefold())}
    return found - {"and", "are", "for", "from", "into", "its", "that", "the", "this", "with"}


def faults_of(spec: EditSpec, pattern: AttackPattern) -> list[str]:
    """Which of the four it breaks."""
    import yaml

    taxonomy = load_taxonomy()
    region = taxonomy.region(pattern.region)
    said, target = words_of(spec.positive_prompt), words_of(pattern.target_state)
    wanted = target - words_of(pattern.region)
    slots = yaml.safe_load(CHANGES.read_text(encoding="utf-8"))
    medium = slots["sound" if pattern.modality == "audio" else "picture"]
    about = words_of(region.name, *region.terms, *region.looks, *chain(*medium.values()))
    faults = []
    if not region.mentions.search(spec.positive_prompt):
        faults.append("region not named")
    if len(wanted & said) < LEAST_TARGET * len(wanted):
        faults.append("target dropped")
    if spec.operation not in taxonomy.resolve(pattern.technique).operations_on(region.kind):
        faults.append("operation of another technique")
    if len(said - target - about) > MOST_ELSEWHERE:
        faults.append("says something of the rest of the picture")
    return faults


def measure(folder: Path | None, prompts: int) -> dict[str, dict[str, object]]:
    """Briefs over the documents of the folder and those that are shipped; counts by technique."""
    results: dict[str, dict[str, object]] = {}
    settings = KnowledgeSettings()
    with tempfile.TemporaryDirectory() as place:
        files = KnowledgeFiles(Path(place) / "knowledge")
        ingested.add(files, [folder] if folder else [])
        base.update_index(files, settings, base.scan_local(files, ingested.read_folders(files)))
        backend = ExtractiveBackend(load_encoder())
        with base.open_searcher(files, settings) as searcher:
            for slug in TECHNIQUES:
                words = f"Write {prompts} prompts for fakes of pictures" + (
                    f" by {slug}" * bool(slug)
                )
                brief = Brief(words=words, technique=slug or None, prompts=prompts)
                out = Path(place) / (slug or "open")
                done = run_brief(brief, searcher, dict.fromkeys(AGENTS, backend), out)
                patterns = {pattern.id: pattern for pattern in done.patterns.patterns}
                found = [faults_of(spec, patterns[spec.pattern]) for spec in done.prompts.prompts]
                results[slug or "open"] = {
                    "prompts": len(found),
                    "of use": sum(not faults for faults in found),
                    **Counter(fault for faults in found for fault in faults),
                    "first": done.prompts.prompts[0].positive_prompt,
                }
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", help="by default the shipped alone")
    parser.add_argument("--prompts", type=int, default=15)
    given = parser.parse_args()
    results = measure(given.folder, given.prompts)
    for name, counts in results.items():
        print(json.dumps({"brief": name, **counts}))
    used = sum(int(str(counts["of use"])) for counts in results.values())
    written = sum(int(str(counts["prompts"])) for counts in results.values())
    print(json.dumps({"of use": used, "prompts": written, "share": round(used / written, 3)}))


if __name__ == "__main__":
    main()
