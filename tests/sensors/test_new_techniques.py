"""The sensor over techniques that the knowledge base names."""

from pathlib import Path

import dagster as dg
import pytest

from deepward.knowledge.index import HybridIndex
from resources import ArtifactStore, Knowledge
from sensors.new_techniques import MOST_RUNS, new_technique_sensor, select_techniques
from tests.knowledge.made import HashingEncoder, made_document, made_text


def test_an_empty_knowledge_base_has_had_no_first_tick() -> None:
    found = select_techniques([], [], None)
    assert (found.added, found.started, found.cursor) == ((), (), "")


def test_techniques_of_the_first_tick_become_partitions_without_runs() -> None:
    found = select_techniques(["face-swap", "lip-sync"], ["lip-sync"], None)
    assert found.added == ("face-swap",) and found.started == ()


def test_later_techniques_start_a_run_each_a_few_per_tick_and_none_is_lost() -> None:
    cursor = select_techniques(["a"], [], None).cursor
    news = [f"t{number}" for number in range(MOST_RUNS + 2)]
    found = select_techniques(["a", *news], ["a"], cursor)
    assert found.added == tuple(news) and found.started == tuple(news[:MOST_RUNS])
    later = select_techniques(["a", *news], ["a", *news], found.cursor)
    assert later.added == () and later.started == tuple(news[MOST_RUNS:])
    assert select_techniques(["a", *news], ["a", *news], later.cursor).started == ()


def test_names_that_cannot_be_partitions_are_left_out() -> None:
    assert select_techniques(["a...b", "fine"], [], None).added == ("fine",)


def test_the_sensor_follows_the_knowledge_base(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPWARD_HOME", str(tmp_path))

    def tick(instance: dg.DagsterInstance, cursor: str | None) -> dg.SensorResult:
        context = dg.build_sensor_context(instance=instance, cursor=cursor)
        found = new_technique_sensor(context, store=ArtifactStore(), knowledge=Knowledge())
        for request in found.dynamic_partitions_requests or []:
            instance.add_dynamic_partitions("technique", request.partition_keys)
        return found

    def write(*techniques: str) -> None:
        documents = [
            made_document(name, made_text(number), techniques=(name,))
            for number, name in enumerate(techniques)
        ]
        with HybridIndex.writing(tmp_path / "knowledge" / "index", HashingEncoder()) as index:
            index.sync(documents, ["folder:/made"])

    with dg.DagsterInstance.ephemeral() as instance:
        assert tick(instance, None).skip_reason
        write("face-swap", "lip-sync")
        first = tick(instance, None)
        assert not first.run_requests
        assert set(instance.get_dynamic_partitions("technique")) == {"face-swap", "lip-sync"}
        write("face-swap", "lip-sync", "new-swapper")
        second = tick(instance, first.cursor)
        assert [request.partition_key for request in second.run_requests] == ["new-swapper"]
        assert not tick(instance, second.cursor).run_requests
