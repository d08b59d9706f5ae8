"""Which agent is done by what: one table per profile, and a YAML file over it where one is named.

    agents:
      default: {backend: endpoint, model: Qwen/Qwen2.5-7B-Instruct, context: 32768}
      manager: {model: meta-llama/Llama-3.1-8B-Instruct, temperature: 0.2}
      query_strategist: {backend: extractive}
    endpoint: {url: "https://router.huggingface.co/v1", key: HF_TOKEN, per_minute: 60}
    budgets: {steps: 40, seconds: 900}

`key` names the environment variable that holds the key; the key itself is in no file.
"""

import os
from collections.abc import Mapping
from dataclasses import asdict, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError
from pydantic.dataclasses import dataclass

from deepward.agents.backends.base import Backend
from deepward.agents.backends.endpoint import Endpoint, EndpointBackend
from deepward.agents.backends.extractive import ExtractiveBackend
from deepward.agents.backends.huggingface import HuggingFaceBackend, check_model
from deepward.agents.budgets import Budgets
from deepward.agents.parsing import STRICT, faults
from deepward.agents.roster import ROSTER
from deepward.agents.schemas import AgentName
from deepward.errors import UsageError
from deepward.knowledge.embedding import Encoder

__all__ = [
    "PROFILES",
    "AgentModel",
    "AgentTable",
    "agent_table",
    "named_table",
    "open_backends",
    "unused_server",
]

PROFILES = ("embedded", "full")
Settings = TypeVar("Settings")


@dataclass(frozen=True, config=STRICT)
class AgentModel:
    """What does one agent's work.

    Attributes:
        backend: `extractive` (an algorithm), `huggingface` (a local model), `endpoint` (a server).
        model: a repository's name or a folder; as the server calls it for `endpoint`.
        temperature, max_tokens: of its answers.
        context: tokens that an endpoint's model can hold; a local one says so itself.
        four_bit: a local model's weights are quantized while loading.
        structured: an endpoint is asked to keep to the schema.
    """

    backend: Literal["extractive", "huggingface", "endpoint"] = "extractive"
    model: str = ""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    max_tokens: Annotated[int, Field(ge=1)] = 2048
    context: Annotated[int, Field(ge=2)] = 8192
    four_bit: bool = False
    structured: bool = False

    def __post_init__(self) -> None:
        if self.backend != "extractive" and not self.model:
            raise UsageError(f"The backend {self.backend} needs a `model`.")


@dataclass(frozen=True)
class AgentTable:
    """The whole choice.

    Attributes:
        agents: each agent's model.
        endpoint: the server's settings; None where no agent needs one.
        budgets: what a run may cost.
    """

    agents: Mapping[AgentName, AgentModel]
    endpoint: Endpoint | None = None
    budgets: Budgets = field(default_factory=Budgets)


@dataclass(frozen=True, config=STRICT)
class _File:
    """The YAML file, before its parts are looked at."""

    agents: dict[AgentName | Literal["default"], dict[str, Any] | None] | None = None
    endpoint: dict[str, Any] | None = None
    budgets: dict[str, Any] | None = None


def agent_table(
    profile: str = "embedded",
    path: Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> AgentTable:
    """The table of a profile, with what a YAML file and the environment say instead.

    `DEEPWARD_LLM_URL` names a server that then does the work of all agents which the profile gives
    to local models; its key is read from `DEEPWARD_LLM_KEY`.

    Args:
        profile: `embedded` or `full`.
        path: of a file as above; None takes the profile as it is.
        environment: where `DEEPWARD_LLM_URL` and keys are read.

    Raises:
        UsageError: the profile is not known, or the file cannot be used; names what is wrong.
    """
    if profile not in PROFILES:
        raise UsageError(f"{profile!r} is no profile of agents; there are: {', '.join(PROFILES)}.")
    agents = dict.fromkeys(ROSTER, AgentModel())
    server: dict[str, Any] = {}
    url = environment.get("DEEPWARD_LLM_URL")
    if profile == "full":
        agents = {
            name: AgentModel("endpoint" if url else "huggingface", agent.model)
            for name, agent in ROSTER.items()
        }
    if url:
        server = {"url": url, "key": "DEEPWARD_LLM_KEY"}
    budgets = Budgets()
    if path is not None:
        file = _read(path)
        rows = file.agents or {}
        common = rows.get("default") or {}
        for name, agent in agents.items():
            settings = {**asdict(agent), **common, **(rows.get(name) or {})}
            agents[name] = _made(AgentModel, settings, f"{path}, agents: {name}")
        server |= file.endpoint or {}
        budgets = _made(Budgets, file.budgets or {}, f"{path}, budgets")
    needed = any(agent.backend == "endpoint" for agent in agents.values())
    return AgentTable(agents, _endpoint(server, environment) if needed else None, budgets)


def named_table(name: str) -> AgentTable:
    """The table that one word names: a profile, or a YAML file over the embedded one.

    Raises:
        UsageError: it is neither.
    """
    if name in PROFILES:
        return agent_table(name)
    path = Path(name)
    if not path.is_file():
        raise UsageError(f"{name!r} is neither a file nor one of the tables {', '.join(PROFILES)}.")
    return agent_table(path=path)


def unused_server(table: AgentTable, environment: Mapping[str, str] = os.environ) -> str | None:
    """A sentence for whoever named a server in the environment that no agent asks; else None."""
    if table.endpoint is not None or not environment.get("DEEPWARD_LLM_URL"):
        return None
    return (
        "DEEPWARD_LLM_URL is set, but no agent asks that server: algorithms or local models do "
        "all the work. `--agents full`, or a table of agents with `backend: endpoint`, uses it."
    )


def open_backends(table: AgentTable, encoder: Encoder) -> Mapping[AgentName, Backend]:
    """A backend for each agent. What is missing is an error now, before any work.

    Agents with equal settings get the same backend, and those that name the same local model share
    its weights, which are loaded when it is first asked.

    Args:
        table: from `agent_table`.
        encoder: of the knowledge base; the algorithms compare texts with it.

    Raises:
        AgentError: a local model is not on this machine.
        UsageError: 4-bit weights were asked for and cannot be had, or the server is not named.
    """
    opened: dict[AgentModel, Backend] = {}
    for agent in table.agents.values():
        if agent not in opened:
            opened[agent] = _open(agent, table.endpoint, encoder)
    return {name: opened[agent] for name, agent in table.agents.items()}


def _open(agent: AgentModel, endpoint: Endpoint | None, encoder: Encoder) -> Backend:
    if agent.backend == "extractive":
        return ExtractiveBackend(encoder)
    if agent.backend == "huggingface":
        check_model(agent.model, agent.four_bit)
        return HuggingFaceBackend(agent.model, agent.temperature, agent.max_tokens, agent.four_bit)
    if endpoint is None:
        raise UsageError(f"The model {agent.model} is behind an endpoint, and none is named.")
    return EndpointBackend(
        endpoint,
        agent.model,
        agent.temperature,
        agent.max_tokens,
        agent.context,
        agent.structured,
    )


def _endpoint(settings: dict[str, Any], environment: Mapping[str, str]) -> Endpoint:
    if not settings.get("url"):
        raise UsageError(
            "An agent has the backend `endpoint`, but no server is named. Set DEEPWARD_LLM_URL, or "
            "`endpoint: {url: …}` in the table of agents."
        )
    variable = str(settings.get("key") or "")
    if variable and not variable.replace("_", "").isalnum():
        # Perhaps the key itself: it is not repeated.
        raise UsageError("`endpoint: key` must be the name of an environment variable.")
    named = variable not in ("", "DEEPWARD_LLM_KEY")  # a local server may want no key
    if named and not environment.get(variable):
        raise UsageError(
            f"The language-model server wants a key, and {variable} is not set in the environment."
        )
    key = environment.get(variable, "") if variable else ""
    return _made(Endpoint, {**settings, "key": key}, "`endpoint`")


def _read(path: Path) -> _File:
    import yaml

    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise UsageError(f"The table of agents {path} cannot be read: {error}") from None
    if not isinstance(raw, dict):
        raise UsageError(f"{path} must be a mapping of names to values.")
    return _made(_File, raw, str(path))


def _made(kind: type[Settings], settings: Mapping[Any, Any], where: str) -> Settings:
    try:
        return kind(**{str(name): value for name, value in settings.items()})
    except ValidationError as error:
        raise UsageError(f"{where}: {' '.join(faults(error))}") from None
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None
