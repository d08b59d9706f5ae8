"""The model card, and curves found in a lineage."""

from deepward.evaluation.model_card import lineage_curves, model_card

FACTS = {
    "content_hash": "abc123",
    "decision": {"threshold": 0.62, "low": 0.4, "false_positive_rate": 0.05},
    "lineage": {
        "domains": {"swaps": {"train_real": 20, "train_fake": 30}},
        "validation": {
            "auc": {"value": 0.912, "interval": [0.85, 0.96]},
            "ece": {"value": 0.03, "interval": None},
            "tpr": {"value": None, "interval": None},
        },
    },
}


def test_a_card_says_what_it_learned_from_where_it_decides_and_its_limits() -> None:
    card = model_card("baseline", FACTS)
    assert card.startswith("# baseline\n") and "`abc123`" in card
    assert "swaps (30 train fake, 20 train real)." in card
    assert "0.620" in card and "0.400" in card and "5%" in card
    assert "| auc | 0.912 | 0.850 – 0.960 |" in card and "| ece | 0.030 | – |" in card
    assert "tpr" not in card
    assert "never the sole ground" in card


def test_what_is_not_known_is_not_said() -> None:
    card = model_card("baseline", {"content_hash": "abc", "decision": {"threshold": 0.5}})
    assert "Not stated; see the lineage" in card
    assert "## Decision" not in card and "validation" not in card


def test_curves_are_found_wherever_they_stand_and_lists_of_other_things_are_not() -> None:
    lineage = {
        "meta": {"net": {"curve": [{"epoch": 0.0, "loss": 2.0}, {"epoch": 1.0, "loss": 1.0}]}},
        "training": {"experts": {"fold 0": [{"step": 5, "auc": 0.7, "note": "x", "done": True}]}},
        "history": [{"parent": "a", "how": "stage"}],
        "names": ["a", "b"],
        "broken": [{"step": 1, "loss": float("nan")}],
    }
    assert lineage_curves(lineage) == {
        "meta/net/loss": [(0, 2.0), (1, 1.0)],
        "training/experts/fold 0/auc": [(5, 0.7)],
    }
