"""The table of agents: profiles, files over them, and what is wrong in a file."""

import pytest
from typer.testing import CliRunner

from deepward.agents.backends.table import PROFILES, agent_table, unused_server
from deepward.agents.budgets import Budgets
from deepward.agents.schemas import AGENTS
from deepward.cli import app
from deepward.errors import UsageError


def test_every_profile_names_every_agent():
    assert all(set(agent_table(name, None, {}).agents) == set(AGENTS) for name in PROFILES)
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


def test_a_server_that_nobody_asks_is_told_of(tmp_path):
    named = {"DEEPWARD_LLM_URL": "http://127.0.0.1:1"}
    assert "--agents full" in unused_server(agent_table("embedded", None, named), named)
    assert unused_server(agent_table("full", None, named), named) is None
    assert unused_server(agent_table("embedded", None, {}), {}) is None
    path = tmp_path / "agents.yaml"
    path.write_text("agents: {manager: {backend: endpoint, model: m}}")
    assert unused_server(agent_table("embedded", path, named), named) is None


def test_the_command_tells_of_a_server_that_nobody_asks(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPWARD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DEEPWARD_LLM_URL", "http://127.0.0.1:1")
    told = CliRunner().invoke(app, ["brief", "Face swaps", "--out", str(tmp_path / "out")])
    assert told.stderr.startswith("DEEPWARD_LLM_URL is set, but no agent asks that server")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("agents: {chief: {}}", r"agents\.chief.*'query_strategist'.*'default'"),
        ("agents: {manager: {temprature: 1}}", "agents: manager: temprature: Unexpected keyword"),
        (
            "agents: {manager: {temperature: hot}}",
            "manager: temperature: Input should be a valid number",
        ),
        (
            "agents: {manager: {temperature: 9}}",
            "temperature: Input should be less than or equal to 2",
        ),
        (
            "agents: {manager: {backend: magic}}",
            "backend: Input should be 'extractive', 'huggingface' or",
        ),
        ("agents: {manager: {backend: huggingface}}", "needs a `model`"),
        ("agents: {manager: {backend: endpoint, model: m}}", "DEEPWARD_LLM_URL"),
        ("agents: [1]", "agents: Input should be a valid dict"),
        ("models: {}", "models: Unexpected keyword"),
        ("a: [", "cannot be read"),
        ("[1]", "must be a mapping"),
        ("budgets: {steps: 0}", "budgets: .*steps"),
        ("budgets: {years: 1}", "budgets: years: Unexpected keyword"),
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


def test_a_table_sets_what_a_run_may_cost(tmp_path):
    path = tmp_path / "agents.yaml"
    path.write_text("budgets: {steps: 7, seconds: 90, attempts: 2}\nagents: {manager: }")
    assert agent_table(path=path).budgets == Budgets(steps=7, seconds=90.0, attempts=2)
    assert agent_table().budgets == Budgets()
