"""Damaged files through the usual doors; `benchmarks/mutations.py` does the same with thousands."""

from benchmarks.mutations import good_files, mutation, run_batch, summary


def test_every_damaged_file_comes_to_a_verdict_or_a_reason(detector):
    found = summary([run_batch(range(44), 0, detector)])
    assert found["files"] == 44 == found["verdicts"] + found["read documents"] + found["reasons"]
    assert found["neither"] == 0 and found["doors that raised"] == []
    assert found["verdicts"] > 0 and found["reasons"] > 0
    assert set(found["readers"].values()) == {0}


def test_a_mutation_is_what_its_number_and_seed_say():
    files = good_files()
    made = [mutation(number, 0, files) for number in range(60)]
    assert made == [mutation(number, 0, files) for number in range(60)]
    assert made != [mutation(number, 1, files) for number in range(60)]
    changed = [data not in files[ending] for ending, data in made]
    assert sum(changed) > 50
