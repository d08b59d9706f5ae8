"""The table of agents: profiles, files over them, and what is wrong in a file."""

import pytest

from deepward.agents.agent_table import PROFILES, agent_table
from deepward.agents.schemas import AGENTS
from deepward.errors import UsageError


def test_every_profile_names_every_agent():
    assert all(set(rows) == set(AGENTS) for rows in PROFILES.values())
    assert {agent.backend for agent in agent_table("embedded", None, {}).agents.values()} == {
        "extractive"
    }


def test_the_full_profile_is_the_reference():
    agents = agent_table("full", None, {}).agents
    assert agents["manager"].model == "meta-llama/Llama-3.1-8B-Instruct"
    assert agents["report_generator"] == agents["info_refiner"]
    assert {(agent.temperature, agent.max_tokens) for agent in agents.values()} == {(0.7, 2048)}
    assert len({agent.model for agent in agents.values()}) == 4


def test_a_server_in_the_environment_does_the_work_of_local_models():
    table = agent_table("full", None, {"DEEPWARD_LLM_URL": "http://127.0.0.1:1"})
    assert {agent.backend for agent in table.agents.values()} == {"endpoint"}
    assert table.endpoint.base == "http://127.0.0.1:1/v1"
    assert agent_table("embedded", None, {"DEEPWARD_LLM_URL": "http://h"}).endpoint is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("agents: {chief: {}}", "names the agent 'chief'"),
        ("agents: {manager: {temprature: 1}}", "unknown setting 'temprature'"),
        ("agents: {manager: {temperature: hot}}", "which is no float"),
        ("agents: {manager: {temperature: 9}}", "temperature 9"),
        ("agents: {manager: {backend: magic}}", "no backend"),
        ("agents: {manager: {backend: huggingface}}", "needs a `model`"),
        ("agents: {manager: {backend: endpoint, model: m}}", "DEEPWARD_LLM_URL"),
        ("agents: [1]", "must be a mapping"),
        ("models: {}", "known are: agents, endpoint"),
        ("a: [", "cannot be read"),
        (
            "agents: {default: {backend: endpoint, model: m}}\n"
            "endpoint: {url: 'http://h', colour: 1}",
            "colour",
        ),
    ],
)
def test_a_table_that_cannot_be_used_says_why(tmp_path, text, words):
    path = tmp_path / "agents.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=words):
        agent_table("embedded", path, {})


def test_a_key_written_into_the_table_is_refused_and_not_repeated(tmp_path):
    path = tmp_path / "agents.yaml"
    path.write_text(
        "agents: {default: {backend: endpoint, model: m}}\n"
        "endpoint: {url: 'http://h', key: sk-secret-123}"
    )
    with pytest.raises(UsageError, match="name of an environment variable") as caught:
        agent_table("embedded", path, {})
    assert "secret" not in str(caught.value)


def test_an_unknown_profile_is_named():
    with pytest.raises(UsageError, match="'fuller' is no profile"):
        agent_table("fuller", None, {})
