"""The taxonomy: every slug resolves, what it names exists, and terms match as they should."""

from typing import get_args

import pytest

from deepward.techniques.specs import Brief, Operation
from deepward.techniques.taxonomy import load_taxonomy, matcher

TAXONOMY = load_taxonomy()
FAMILIES = (
    "entire-face-synthesis",
    "face-swap",
    "reenactment",
    "attribute-edit",
    "inpainting",
    "lip-sync",
    "voice-conversion",
    "text-to-speech",
)


@pytest.mark.parametrize("slug", FAMILIES)
def test_each_family_of_the_specification_is_there_and_is_a_kind_of_nothing(slug):
    assert TAXONOMY.techniques[slug].kinds == ()


@pytest.mark.parametrize("technique", TAXONOMY.techniques.values(), ids=lambda t: t.slug)
def test_a_technique_names_regions_and_operations_that_exist(technique):
    assert set(technique.regions) | set(technique.frames) <= set(TAXONOMY.regions)
    assert "any" in technique.operations and "any" in technique.states
    for operations in technique.operations.values():
        assert set(operations) <= set(get_args(Operation))
    for region in technique.regions:
        for before, after in technique.states_of(TAXONOMY.regions[region]):
            assert before != after and "{" not in before + after
        assert TAXONOMY.regions[region].audio == (technique.modality == "audio")


def test_artefacts_name_regions_that_exist_and_each_phrase_is_there_once():
    phrases = [artefact.phrase for artefact in TAXONOMY.artefacts]
    assert len(set(phrases)) == len(phrases)
    for artefact in TAXONOMY.artefacts:
        assert set(artefact.regions) <= set(TAXONOMY.regions)


def test_every_visible_region_has_looks_for_prompts():
    assert all(len(r.looks) >= 5 for r in TAXONOMY.regions.values() if not r.audio)


@pytest.mark.parametrize(
    ("slug", "like", "family"),
    [
        ("stylegan3", "stylegan3", "entire-face-synthesis"),
        ("stable-diffusion-inpainting", "stable-diffusion-inpainting", "inpainting"),
        ("sd-inpaint", "stable-diffusion-inpainting", "inpainting"),
        ("face-swap", "face-swap", "face-swap"),
        ("talking-head-reenactment", "talking-head-reenactment", "reenactment"),
        ("stylegan4", "stylegan", "entire-face-synthesis"),  # a later version
        ("flux-inpainting", "inpainting", "inpainting"),  # the last word says what it is
        ("my-lipsync-tool", "lip-sync", "lip-sync"),
    ],
)
def test_a_slug_resolves_to_the_entry_it_means_and_keeps_its_own_name(slug, like, family):
    technique = TAXONOMY.resolve(slug)
    assert (technique.slug, technique.like) == (slug, like)
    assert (like, *technique.kinds)[-1] == family


def test_a_slug_without_a_known_word_becomes_a_technique_of_its_own_words():
    technique = TAXONOMY.resolve("portrait-relighting")
    assert technique.like == "" and technique.name == "Portrait relighting"
    assert technique.mentions.search("Portrait relighting moves the light.")
    assert technique.states_of(TAXONOMY.regions["eyes"])[0][0] == "eyes as photographed"


def test_terms_match_whole_words_with_hyphens_plurals_and_endings():
    found = matcher(["face swap", "reenact*"])
    for text in ("Face-swaps are old", "a face swap", "reenactment", "It was reenacted."):
        assert found.search(text), text
    assert not found.search("surface swap") and not found.search("preenactor")


def test_a_version_is_not_taken_for_the_one_before_it():
    assert not TAXONOMY.techniques["stylegan"].mentions.search("StyleGAN3 has Fourier features.")


def test_a_trace_that_is_said_to_be_absent_is_not_told():
    peaks = next(a for a in TAXONOMY.artefacts if "up-sampling peaks" in a.phrase)
    assert peaks.told_by("The spectrum shows a grid of peaks.")
    assert not peaks.told_by("Designed filters suppress the regular grid of peaks.")
    assert peaks.told_by("There is no seam, but the spectrum shows a grid of peaks.")


def test_names_of_techniques_are_not_taken_for_regions():
    text = TAXONOMY.without_names("A face swap after face detection keeps lip-sync.")
    assert not TAXONOMY.regions["face"].mentions.search(text)
    assert not TAXONOMY.regions["mouth"].mentions.search(text)


def test_a_region_in_other_words_belongs_to_one_that_is_known():
    assert TAXONOMY.region("left eye").kind == "eyes"
    assert TAXONOMY.region("Mouth").name == "mouth"
    assert TAXONOMY.region("tie").kind == "tie"


def test_an_open_brief_is_about_the_families_of_its_medium_that_the_sources_name():
    sources = ("one-shot-face-swap", "stylegan3", "voice-conversion", "text-to-speech")

    def subjects(words):
        return [t.slug for t in TAXONOMY.subjects(Brief(words=words), sources)]

    assert subjects("novel image deepfakes") == ["face-swap", "entire-face-synthesis"]
    assert subjects("fake voices on the phone") == ["voice-conversion", "text-to-speech"]
    assert subjects("how StyleGAN3 portraits are found") == ["stylegan3"]


def test_modality_follows_the_region_and_the_brief():
    lips = TAXONOMY.resolve("lip-sync")
    assert lips.modality_of("mouth") == "image"  # a single frame can show it
    assert lips.modality_of("mouth", "video") == "video"
    assert lips.modality_of("neck") == "video"
    assert TAXONOMY.resolve("voice-conversion").modality_of("voice", "image") == "audio"
