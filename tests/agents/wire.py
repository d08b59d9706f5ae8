"""A server on loopback that speaks the OpenAI protocol for a local transformers model.

It can be told to misbehave: each entry of `script` is what becomes of one request, then it serves.
"""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Wire:
    """What a test sees of the server."""

    url: str
    script: list[Any] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    at: list[float] = field(default_factory=list)


def chat_answer(
    content: Any, prompt: int = 1, completion: int = 1, finish: str = "stop", **fields: Any
) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, **fields}
    return {
        "id": "made",
        "object": "chat.completion",
        "created": 0,
        "model": "made",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        },
    }


def _generator(folder: Path) -> Callable[[dict[str, Any]], dict[str, Any]]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)

    def generate(body: dict[str, Any]) -> dict[str, Any]:
        text = tokenizer.apply_chat_template(
            body["messages"], tokenize=False, add_generation_prompt=True
        )
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
        torch.manual_seed(body["seed"])
        output = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=body["max_tokens"],
            do_sample=True,
            temperature=body["temperature"],
            pad_token_id=1,
        )[0, ids.shape[1] :]
        content = tokenizer.decode(output, skip_special_tokens=True)
        return chat_answer(content, ids.shape[1], len(output))

    return generate


@contextmanager
def serve_wire(folder: Path | None = None) -> Iterator[Wire]:
    """Serves the model in `folder`; without one only what the script says."""
    import uvicorn
    from fastapi import FastAPI, Request
    from fastapi.responses import JSONResponse, Response, StreamingResponse

    generate = _generator(folder) if folder else None
    listener = socket.create_server(("127.0.0.1", 0))
    wire = Wire(f"http://127.0.0.1:{listener.getsockname()[1]}/v1")
    app = FastAPI()

    @app.post("/v1/chat/completions")
    async def complete(request: Request) -> Response:
        body = await request.json()
        wire.bodies.append(body)
        wire.headers.append(dict(request.headers))
        wire.at.append(time.monotonic())
        order = wire.script.pop(0) if wire.script else None
        if isinstance(order, str):
            return JSONResponse(chat_answer(order))
        if isinstance(order, tuple):  # status, headers, what else it says
            status, headers, words = order
            error = {"error": {"message": words, "type": "made"}}
            return JSONResponse(error, status, headers)
        if isinstance(order, dict) and "content" in order:  # as it says, also what is odd
            return Response(json.dumps(chat_answer(**order)), media_type="application/json")
        if order == {"do": "cut"}:
            whole = json.dumps(chat_answer("never complete")).encode()
            headers = {"content-length": str(len(whole)), "content-type": "application/json"}
            return StreamingResponse(iter([whole[:20]]), headers=headers)
        if order == {"do": "hang"}:
            await asyncio.sleep(1.0)
        if order == {"do": "drip"}:

            async def drip() -> Any:
                for _ in range(60):
                    yield b" "
                    await asyncio.sleep(0.05)

            return StreamingResponse(drip(), media_type="application/json")
        if isinstance(order, bytes):
            return Response(order, media_type="text/html")
        if generate is None:
            return JSONResponse(chat_answer("{}"))
        return JSONResponse(await asyncio.to_thread(generate, body))

    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        yield wire
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
