"""Local chat models of the transformers library: loaded once, shared by the agents that name them.

Only safetensors weights are read, no code that comes with a model is run, and nothing is
downloaded: a model that is not on this machine is an error that says how to get it.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

from deepward.agents.backends.base import Answer, Request
from deepward.agents.backends.messages import Message, fit_messages
from deepward.agents.parsing import extract_json
from deepward.errors import AgentError, UsageError

__all__ = ["ChatModel", "HuggingFaceBackend", "check_model", "load_chat_model"]

_LONGEST_CONTEXT = 131_072  # tokens; tokenizers without a limit of their own say 10**30


@dataclass(frozen=True)
class HuggingFaceBackend:
    """Answers with a local model.

    Attributes:
        model: a folder, or the name of a repository that is in the local cache.
        temperature: of sampling; 0 takes the most likely token each time.
        max_tokens: most tokens of one answer, whatever the request allows.
        four_bit: quantizes the weights while loading (bitsandbytes, on a GPU).
    """

    model: str
    temperature: float = 0.7
    max_tokens: int = 2048
    four_bit: bool = False

    def answer(self, request: Request) -> Answer:
        """Asks the model; its seed is the request's.

        Raises:
            AgentError: the model cannot be loaded, or the task does not fit into its context.
        """
        chat = load_chat_model(self.model, self.four_bit)
        most = chat.room(min(request.max_tokens, self.max_tokens))
        messages, size = self._messages(chat, request, most)
        text, written = chat.complete(messages, most, self.temperature, request.seed)
        return Answer(extract_json(text) or text, self.model, size, written)

    def input_tokens(self, request: Request) -> int:
        """How many tokens the model will read."""
        chat = load_chat_model(self.model, self.four_bit)
        most = chat.room(min(request.max_tokens, self.max_tokens))
        return self._messages(chat, request, most)[1]

    def _messages(
        self, chat: "ChatModel", request: Request, most: int
    ) -> tuple[tuple[Message, Message], int]:
        return fit_messages(request, chat.count, chat.context - most, tokens=chat.special_tokens)


class ChatModel:
    """A tokenizer and a causal language model."""

    def __init__(self, name: str, tokenizer: Any, model: Any) -> None:
        self.name = name
        self._tokenizer, self._model = tokenizer, model
        self._lock = threading.Lock()  # one generation at a time: the seed is the device's
        limits = [tokenizer.model_max_length, _LONGEST_CONTEXT]
        limits.append(getattr(model.config.get_text_config(), "max_position_embeddings", None))
        self.context: int = min(int(limit) for limit in limits if limit)
        added = [str(token) for token in tokenizer.added_tokens_decoder.values()]
        # What the template writes around messages must not be written inside them.
        self.special_tokens: frozenset[str] = frozenset(
            token for token in (*tokenizer.all_special_tokens, *added) if len(token.strip()) > 1
        )

    def room(self, wanted: int) -> int:
        """Tokens an answer may have: those wanted, and at most half of what the model can hold."""
        return max(1, min(wanted, self.context // 2))

    def count(self, messages: Sequence[Message]) -> int:
        """Number of tokens that the model would read."""
        return len(self._ids(messages))

    def complete(
        self, messages: Sequence[Message], most: int, temperature: float, seed: int
    ) -> tuple[str, int]:
        """Continues a chat.

        Args:
            messages: of the chat.
            most: tokens of the answer.
            temperature: of sampling; 0 takes the most likely token.
            seed: the same gives the same answer on the same machine.

        Returns:
            The answer, and its number of tokens.

        Raises:
            AgentError: the device has too little memory.
        """
        import torch

        ids = torch.tensor([self._ids(messages)], device=self._model.device)  # (1, T)
        sampling: dict[str, Any] = {"do_sample": False}
        if temperature > 0:
            sampling = {"do_sample": True, "temperature": temperature}
        pad = self._tokenizer.pad_token_id
        if pad is None:
            pad = self._tokenizer.eos_token_id or 0
        devices = [self._model.device] if self._model.device.type == "cuda" else []
        with self._lock, torch.random.fork_rng(devices=devices), torch.inference_mode():
            torch.manual_seed(seed)
            try:
                output = self._model.generate(
                    ids,
                    attention_mask=torch.ones_like(ids),
                    max_new_tokens=most,
                    pad_token_id=pad,
                    **sampling,
                )  # (1, T + answer)
            except torch.OutOfMemoryError:
                raise AgentError(
                    f"The model {self.name} with {ids.shape[1]} tokens of input and {most} of "
                    "output is too large for the memory of its device. Ask for less, or load it "
                    "with four_bit: true."
                ) from None
        written = output[0, ids.shape[1] :]
        return self._tokenizer.decode(written, skip_special_tokens=True), len(written)

    def _ids(self, messages: Sequence[Message]) -> list[int]:
        if not self._tokenizer.chat_template:
            return list(self._tokenizer(_plain(messages)).input_ids)
        text = self._rendered(messages)
        # The template has written the special tokens itself.
        return list(self._tokenizer(text, add_special_tokens=False).input_ids)

    def _rendered(self, messages: Sequence[Message]) -> str:
        from jinja2 import TemplateError

        def render(chat: list[dict[str, str]]) -> str:
            text: str = self._tokenizer.apply_chat_template(
                chat, tokenize=False, add_generation_prompt=True
            )
            return text

        try:
            return render([message.as_dict() for message in messages])
        except TemplateError:
            # Some templates know no system role: the rules then open the user's turn.
            joined = "\n\n".join(message.content for message in messages)
            return render([{"role": "user", "content": joined}])


def check_model(name: str, four_bit: bool = False) -> None:
    """Finds out, without loading weights, whether a model can be used here.

    Raises:
        AgentError: it is not on this machine.
        UsageError: 4-bit weights were asked for and cannot be had.
    """
    import torch
    from transformers import AutoConfig

    if four_bit and not find_spec("bitsandbytes"):
        raise UsageError(
            f"The model {name} is wanted in 4 bits, which needs the package bitsandbytes. Install "
            "it with `pip install bitsandbytes accelerate`, or set four_bit: false."
        )
    if four_bit and not torch.cuda.is_available():
        raise UsageError(
            f"The model {name} is wanted in 4 bits, which needs a CUDA device, and there is none "
            "here. Set four_bit: false."
        )
    try:
        AutoConfig.from_pretrained(name, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise _missing(name, error) from None


@lru_cache(maxsize=8)
def load_chat_model(name: str, four_bit: bool = False) -> ChatModel:
    """Loads a model, or returns the one that was loaded before under the same name.

    In bfloat16 on a GPU, in float32 on a CPU.

    Raises:
        AgentError: it is not on this machine, has no safetensors weights, or is damaged.
        UsageError: 4-bit weights were asked for and cannot be had.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    check_model(name, four_bit)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    safely: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    settings: dict[str, Any] = {"dtype": dtype}
    if four_bit:
        from transformers import BitsAndBytesConfig

        quantized: Any = BitsAndBytesConfig
        settings["quantization_config"] = quantized(
            load_in_4bit=True, bnb_4bit_compute_dtype=torch.bfloat16
        )
        settings["device_map"] = {"": device}
    untyped: Any = logging
    bars = untyped.is_progress_bar_enabled()
    untyped.disable_progress_bar()  # a library draws none
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, **safely)
        model: Any = AutoModelForCausalLM.from_pretrained(
            name, use_safetensors=True, **safely, **settings
        )
        if not four_bit:
            model = model.to(device)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise _missing(name, error) from None
    except (torch.OutOfMemoryError, RuntimeError) as error:
        raise AgentError(f"The model {name} cannot be put on {device}: {_first(error)}") from None
    finally:
        if bars:
            untyped.enable_progress_bar()
    return ChatModel(name, tokenizer, model.eval())


def _plain(messages: Sequence[Message]) -> str:
    """For a model without a chat template: headings that a base model continues."""
    heads = {"system": "### Instructions", "user": "### Input"}
    parts = [f"{heads[message.role]}\n{message.content}" for message in messages]
    return "\n\n".join([*parts, "### Answer\n"])


def _missing(name: str, error: Exception) -> AgentError:
    return AgentError(
        f"The model {name} cannot be loaded on this machine ({_first(error)}). Download it with "
        f"`hf download {name}`, give the folder that holds it, or name another model in the table "
        "of agents. Its weights must be safetensors."
    )


def _first(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
