"""Models behind a server that speaks the OpenAI protocol: OpenAI, vLLM, llama.cpp, `transformers
serve`, Hugging Face inference endpoints, and others.

The key goes into the request's header and nowhere else: not into messages of errors, not into
`repr`, not to another host by a redirect.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic.dataclasses import dataclass as validated

from deepward.agents.backends.base import Answer, Request
from deepward.agents.backends.messages import Message, fit_messages
from deepward.agents.budgets import OutOfTime, within
from deepward.agents.parsing import STRICT, extract_json
from deepward.errors import AgentError, UsageError
from deepward.files import printable

if TYPE_CHECKING:
    from langchain_core.rate_limiters import InMemoryRateLimiter
    from openai import OpenAI

__all__ = ["Endpoint", "EndpointBackend"]

_LONGEST = 400_000  # characters of an answer that are kept
_SPOKEN = ("text", "output_text", "refusal")  # kinds of parts of a message that are its words
_CHARACTERS_PER_TOKEN = 3  # of JSON in English; cautious, the server's tokenizer is not known here


@validated(frozen=True, config=STRICT)
class Endpoint:
    """A server; shared by the agents whose models it serves.

    Attributes:
        url: base address; `/v1` is added where it has no path.
        key: sent as the bearer token; "" for a server that wants none.
        timeout: seconds in which a server has to send something.
        retries: of one request, after 408, 409, 429, 5xx, time-outs and broken connections; with
            growing pauses, or those that the server asks for (`Retry-After`).
        deadline: seconds for one request with all its retries.
        per_minute: most requests; 0 sets no limit.
    """

    url: str
    key: str = field(default="", repr=False)
    timeout: float = 120.0
    retries: int = 4
    deadline: float = 900.0
    per_minute: float = 0.0

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            wrong = parts.scheme not in ("http", "https") or not parts.hostname
            secret = "@" in parts.netloc or bool(parts.query)
        except ValueError:
            wrong, secret = True, False
        if secret:
            raise UsageError(
                "The address of the language-model server carries credentials or a query. Give "
                "the address alone, and the key in the variable that `key` names."
            )
        if wrong:
            raise UsageError(
                f"{self.url!r} is not the address of a server: it begins with http:// or https://."
            )

    @property
    def base(self) -> str:
        """The address that the protocol's paths are added to."""
        url = self.url.rstrip("/")
        return url if urlsplit(url).path else f"{url}/v1"

    @cached_property
    def _limit(self) -> "InMemoryRateLimiter | None":
        """One request at a time, evenly spread, so that no burst is refused."""
        from langchain_core.rate_limiters import InMemoryRateLimiter

        if self.per_minute <= 0:
            return None
        limit = InMemoryRateLimiter(requests_per_second=self.per_minute / 60.0)
        limit.available_tokens = 1.0  # the first one need not wait
        return limit

    def wait(self) -> None:
        """Returns when the next request may be made."""
        if self._limit is not None:
            self._limit.acquire()

    @cached_property
    def client(self) -> "OpenAI":
        from openai import DefaultHttpxClient, OpenAI

        return OpenAI(
            base_url=self.base,
            api_key=self.key or "none",  # the client demands one
            timeout=self.timeout,
            max_retries=self.retries,
            http_client=DefaultHttpxClient(follow_redirects=False, timeout=self.timeout),
        )


@dataclass(frozen=True)
class EndpointBackend:
    """Answers with a model of a server.

    Attributes:
        endpoint: the server.
        model: as the server calls it.
        temperature: of sampling.
        max_tokens: most tokens of one answer, whatever the request allows.
        context: tokens that the model can hold, answer included.
        structured: the server is asked to keep to the schema (`response_format`); not all can.
    """

    endpoint: Endpoint
    model: str
    temperature: float = 0.7
    max_tokens: int = 2048
    context: int = 8192
    structured: bool = False

    def answer(self, request: Request) -> Answer:
        """Asks the server.

        Raises:
            AgentError: it cannot be reached, refuses, or does not answer in time.
        """
        messages, size = self._messages(request)
        response = self._ask(request, messages)
        try:
            text = _text(response.choices[0].message)[:_LONGEST]
        except (AttributeError, IndexError, TypeError):
            raise self._failed(_no_completion(response)) from None
        usage = getattr(response, "usage", None)
        return Answer(
            extract_json(text) or text,
            self.model,
            _number(getattr(usage, "prompt_tokens", None), size),
            _number(getattr(usage, "completion_tokens", None), len(text)),
        )

    def input_tokens(self, request: Request) -> int:
        """The most tokens that the server can count: no token is shorter than a byte."""
        messages, _ = self._messages(request)
        return sum(len(message.content.encode()) + 16 for message in messages)

    def _most(self, request: Request) -> int:
        return max(1, min(request.max_tokens, self.max_tokens, self.context // 2))

    def _messages(self, request: Request) -> tuple[tuple[Message, Message], int]:
        return fit_messages(request, _estimate, self.context - self._most(request))

    def _ask(self, request: Request, messages: Sequence[Message]) -> Any:
        from openai import APIConnectionError, APIStatusError, APITimeoutError, OpenAIError

        settings: dict[str, Any] = {
            "model": self.model,
            "messages": [message.as_dict() for message in messages],
            "temperature": self.temperature,
            "max_tokens": self._most(request),
            "seed": request.seed,
        }
        if self.structured:
            schema = {"name": request.agent, "schema": request.answer.model_json_schema()}
            settings["response_format"] = {"type": "json_schema", "json_schema": schema}
        endpoint = self.endpoint
        endpoint.wait()
        try:
            # A server can drip for hours without a pause that counts as a time-out.
            return within(
                endpoint.deadline, lambda: endpoint.client.chat.completions.create(**settings)
            )
        except OutOfTime:
            raise self._failed(f"it did not answer within {endpoint.deadline:g} s") from None
        except APITimeoutError:
            raise self._failed(
                f"it sent nothing for {endpoint.timeout:g} s, {endpoint.retries + 1} times"
            ) from None
        except APIConnectionError:
            raise self._failed("it cannot be reached, or cut the connection") from None
        except APIStatusError as error:
            raise self._failed(_status(error.status_code, error.message)) from None
        except (OpenAIError, ValueError, TypeError) as error:
            raise self._failed(f"its answer cannot be read ({type(error).__name__})") from None

    def _failed(self, why: str) -> AgentError:
        words = f"The language-model server {self.endpoint.base} failed for {self.model}: {why}."
        if self.endpoint.key:
            words = words.replace(self.endpoint.key, "***")
        return AgentError(words)


def _text(message: Any) -> str:
    """What a message says: a text, or its parts without pictures and thoughts; or its refusal."""
    content = message.content or getattr(message, "refusal", None) or ""
    if isinstance(content, str):
        return content
    parts = [part if isinstance(part, Mapping) else vars(part) for part in content]
    spoken = [part.get("text") for part in parts if part.get("type") in _SPOKEN]
    return "".join(text for text in spoken if isinstance(text, str))


def _no_completion(response: Any) -> str:
    if isinstance(response, str) and response.lstrip()[:1] == "<":
        return f"it answered with a web page ({printable(response.strip()[:60])}); check `url`"
    return "it answered with something that is no chat completion"


def _status(code: int, message: str) -> str:
    advice = {
        400: "it does not understand the request",
        401: "it does not accept the key; check the variable that `key` names",
        403: "the key may not use this model",
        404: "it has no such model or no such path; check `model` and `url`",
        413: "the request is too long for it; lower `context`",
        429: "it is asked too often, also after waiting; set `per_minute`",
    }
    words = printable(" ".join(message.split())[:300])
    return f"{advice.get(code, 'it answered with an error')} (HTTP {code}: {words})"


def _estimate(messages: Sequence[Message]) -> int:
    return sum(len(message.content) for message in messages) // _CHARACTERS_PER_TOKEN + 1


def _number(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) and value >= 0 else otherwise
