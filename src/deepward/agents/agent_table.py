"""Which agent is done by what: one table per profile, and a YAML file over it where one is named.

    agents:
      default: {backend: endpoint, model: Qwen/Qwen2.5-7B-Instruct, context: 32768}
      manager: {model: meta-llama/Llama-3.1-8B-Instruct, temperature: 0.2}
      query_strategist: {backend: extractive}
    endpoint: {url: "https://router.huggingface.co/v1", key: HF_TOKEN, per_minute: 60}

`key` names the environment variable that holds the key; the key itself is in no file.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from deepward.agents.backends import Backend
from deepward.agents.endpoint import Endpoint, EndpointBackend
from deepward.agents.huggingface import HuggingFaceBackend, check_model
from deepward.agents.schemas import AGENTS, AgentName
from deepward.errors import UsageError
from deepward.knowledge.embedding import Encoder

__all__ = ["PROFILES", "AgentModel", "AgentTable", "agent_table", "named_table", "open_backends"]

BackendName = Literal["extractive", "huggingface", "endpoint"]


@dataclass(frozen=True)
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

    backend: BackendName = "extractive"
    model: str = ""
    temperature: float = 0.7
    max_tokens: int = 2048
    context: int = 8192
    four_bit: bool = False
    structured: bool = False

    def __post_init__(self) -> None:
        if self.backend not in get_args(BackendName):
            known = ", ".join(get_args(BackendName))
            raise UsageError(f"{self.backend!r} is no backend; there are: {known}.")
        if self.backend != "extractive" and not self.model:
            raise UsageError(f"The backend {self.backend} needs a `model`.")
        if not 0 <= self.temperature <= 2 or self.max_tokens < 1 or self.context < 2:
            raise UsageError(
                f"temperature {self.temperature}, max_tokens {self.max_tokens} and context "
                f"{self.context} must be in [0, 2], at least 1 and at least 2."
            )


@dataclass(frozen=True)
class AgentTable:
    """The whole choice.

    Attributes:
        agents: each agent's model.
        endpoint: the server's settings; None where no agent needs one.
    """

    agents: Mapping[AgentName, AgentModel]
    endpoint: Endpoint | None = field(default=None)


_LLAMA = AgentModel("huggingface", "meta-llama/Llama-3.1-8B-Instruct")
_ZEPHYR = AgentModel("huggingface", "HuggingFaceH4/zephyr-7b-beta")

PROFILES: Mapping[str, Mapping[AgentName, AgentModel]] = {
    "embedded": dict.fromkeys(AGENTS, AgentModel()),
    "full": {
        "query_strategist": _LLAMA,
        "data_collector": _LLAMA,
        "report_generator": _ZEPHYR,
        "info_refiner": _ZEPHYR,
        "attack_pattern_synthesizer": AgentModel(
            "huggingface", "nvidia/Mistral-NeMo-Minitron-8B-Instruct"
        ),
        "prompt_generator": AgentModel("huggingface", "Qwen/Qwen2-7B-Instruct"),
        "manager": _LLAMA,
    },
}


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
    agents = dict(PROFILES[profile])
    server: dict[str, Any] = {}
    if url := environment.get("DEEPWARD_LLM_URL"):
        server = {"url": url, "key": "DEEPWARD_LLM_KEY"}
        agents = {
            name: replace(agent, backend="endpoint") if agent.backend == "huggingface" else agent
            for name, agent in agents.items()
        }
    if path is not None:
        raw = _read(path)
        rows = _mapping(raw.get("agents") or {}, path, "agents")
        common = _mapping(rows.pop("default", None) or {}, path, "agents: default")
        for unknown in rows.keys() - set(AGENTS):
            raise UsageError(
                f"{path} names the agent {unknown!r}; there are: default, {', '.join(AGENTS)}."
            )
        for name in AGENTS:
            own = _mapping(rows.get(name) or {}, path, f"agents: {name}")
            agents[name] = _changed(agents[name], {**common, **own}, f"{path}, agents: {name}")
        server |= _mapping(raw.get("endpoint") or {}, path, "endpoint")
    needed = any(agent.backend == "endpoint" for agent in agents.values())
    return AgentTable(agents, _endpoint(server, environment) if needed else None)


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
        from deepward.agents.extractive import ExtractiveBackend

        backend: Backend = ExtractiveBackend(encoder)
        return backend
    if agent.backend == "huggingface":
        check_model(agent.model, agent.four_bit)
        return HuggingFaceBackend(
            agent.model, agent.temperature, agent.max_tokens, four_bit=agent.four_bit
        )
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


def _endpoint(raw: Mapping[str, Any], environment: Mapping[str, str]) -> Endpoint:
    settings = dict(raw)
    if not settings.get("url"):
        raise UsageError(
            "An agent has the backend `endpoint`, but no server is named. Set DEEPWARD_LLM_URL, or "
            "`endpoint: {url: …}` in the table of agents."
        )
    variable = str(settings.pop("key", "") or "")
    if variable and not variable.replace("_", "").isalnum():
        # Perhaps the key itself: it is not repeated.
        raise UsageError("`endpoint: key` must be the name of an environment variable.")
    named = variable not in ("", "DEEPWARD_LLM_KEY")  # a local server may want no key
    if named and not environment.get(variable):
        raise UsageError(
            f"The language-model server wants a key, and {variable} is not set in the environment."
        )
    unknown = settings.keys() - {f.name for f in fields(Endpoint)}
    if unknown:
        raise UsageError(f"`endpoint` has the unknown settings {', '.join(sorted(unknown))}.")
    return Endpoint(**{**settings, "key": environment.get(variable, "") if variable else ""})


def _changed(agent: AgentModel, changes: Mapping[str, Any], where: str) -> AgentModel:
    kinds = {f.name: f.type for f in fields(AgentModel)}
    for name, value in changes.items():
        if name not in kinds:
            raise UsageError(f"{where}: unknown setting {name!r}; known: {', '.join(kinds)}.")
        wanted: Any = type(getattr(AgentModel(), name))
        if type(value) is not wanted and not (wanted is float and type(value) is int):
            raise UsageError(f"{where}: {name} is {value!r}, which is no {wanted.__name__}.")
    try:
        return replace(agent, **changes)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None


def _read(path: Path) -> dict[str, Any]:
    import yaml

    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise UsageError(f"The table of agents {path} cannot be read: {error}") from None
    found = _mapping(raw or {}, path, "the file")
    unknown = found.keys() - {"agents", "endpoint"}
    if unknown:
        raise UsageError(
            f"{path} holds {', '.join(map(str, sorted(unknown)))}; known are: agents, endpoint."
        )
    return found


def _mapping(value: Any, path: Path, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{path}: {where} must be a mapping of names to values.")
    return dict(value)
