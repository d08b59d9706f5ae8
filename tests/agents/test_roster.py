"""The roster: a record for each agent, complete."""

import pytest

from deepward.agents.results import read_results
from deepward.agents.roster import ROSTER
from deepward.agents.schemas import AGENTS, FLOW
from deepward.agents.state import RunState
from deepward.errors import AgentError


def test_every_agent_has_one_record_and_every_worker_a_place_for_its_work():
    assert tuple(ROSTER) == AGENTS == (*FLOW, "manager")
    fields = [ROSTER[agent].field for agent in FLOW]
    assert len(set(fields)) == len(FLOW) and set(fields) <= set(RunState.model_fields)
    assert all(agent.role and agent.task and agent.called for agent in map(ROSTER.get, FLOW))


def test_results_that_are_damaged_are_named(tmp_path):
    assert read_results(tmp_path).cited == ()
    (tmp_path / "report.json").write_text('{"report": ')
    with pytest.raises(AgentError, match=r"report\.json does not hold"):
        read_results(tmp_path)
