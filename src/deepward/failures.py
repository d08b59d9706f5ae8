"""Runs that failed: one line each in `failures.jsonl`, and word of it to whoever wants it.

A refused input says what is wrong and fails again until somebody changes it; a machine's fault may
be gone the next time. No line and no message holds a secret.
"""

import ipaddress
import json
import os
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from deepward import errors
from deepward.files import locked

__all__ = ["WEBHOOK", "Failure", "is_refusal", "note_failure", "send_failure", "without_secrets"]

WEBHOOK = "DEEPWARD_FAILURE_WEBHOOK"
_SECONDS = 5.0
_MOST = 2000  # characters of a message
_TAIL = 2**20  # bytes of the file in which a run is looked for
# A service that failed may answer the next time, though the error is one of ours.
_PASSING = frozenset({"AgentError"})
# Raised where domains of a run failed one by one, each for a reason of its own; and where a run
# was asked for in a way that cannot be.
_OF_DAGSTER = frozenset({"Failure", "DagsterInvalidConfigError", "DagsterInvariantViolationError"})
_SECRET_NAMES = re.compile(
    r"(?i)(key|token|secret|passw|credential|webhook|auth|cookie|dsn|_url$|_pw$)"
)
_MASK = "***"
_PATTERNS = (
    (re.compile(r"(?i)([a-z][a-z0-9+.-]*://)[^\s/@]+@"), rf"\1{_MASK}@"),
    (re.compile(r"(?i)(https?://[^\s?#\"']+)\?[^\s\"']+"), rf"\1?{_MASK}"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[a-z0-9+/=._~-]{6,}"), rf"\1 {_MASK}"),
    (
        re.compile(
            r"(?i)\b([\w-]*(?:api[_-]?key|token|secret|password|passwd|authorization)[\w-]*)"
            r"(\"?'?\s*[=:]\s*\"?'?)(?!bearer\b|basic\b)[^\s\"',;&]+"
        ),
        rf"\1\2{_MASK}",
    ),
    (re.compile(r"\b(sk|ghp|gho|xox[abp]|AKIA|hf)[-_]?[A-Za-z0-9_-]{16,}"), _MASK),
)


@dataclass(frozen=True)
class Failure:
    """A run that failed.

    Attributes:
        time: ISO, UTC.
        run_id, job: of the run.
        partition: that it worked on; "" where there is none.
        steps: that failed.
        refused: the input was refused: trying again changes nothing. Otherwise it was the
            machine's or a service's fault.
        error: class of what was raised; "" where the run ended without raising.
        message: what it said, without secrets.
    """

    time: str
    run_id: str
    job: str
    partition: str
    steps: tuple[str, ...]
    refused: bool
    error: str
    message: str

    @property
    def sentence(self) -> str:
        """One line for people."""
        of = f" of {self.partition}" if self.partition else ""
        what = "an input was refused" if self.refused else "the machine or a service failed"
        return f"{self.job}{of} failed: {what}. {self.error}: {self.message}"[:_MOST]


def is_refusal(classes: Sequence[str]) -> bool:
    """Whether an error, with what caused it, is a deliberate one that trying again cannot mend.

    Args:
        classes: names of the classes of an error and its causes.
    """
    ours = {name for name in errors.__all__ if name not in _PASSING} | _OF_DAGSTER
    return not _PASSING & set(classes) and bool(ours & set(classes))


def note_failure(home: Path, failure: Failure) -> bool:
    """Appends a failure to `failures.jsonl`; once for each run.

    Returns:
        whether it was not there yet.
    """
    path = Path(home) / "failures.jsonl"
    with locked(path.with_suffix(".lock")):
        if failure.run_id in _tail(path):
            return False
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(failure), ensure_ascii=True) + "\n")
            file.flush()
            os.fsync(file.fileno())
    return True


def send_failure(url: str, failure: Failure, private_hosts: Sequence[str] = ()) -> str:
    """Posts a failure as JSON, its `text` fit for a chat.

    The address passes the crawler's check, and what is connected to are the very addresses that
    were checked. Redirects are not followed. Nothing is raised: that nobody could be told must
    not fail anything else.

    Args:
        url: http or https.
        failure: to tell of.
        private_hosts: excepted from the ban on private addresses.

    Returns:
        "sent", or why not; without the address, which may hold a key.
    """
    import httpx

    from deepward.crawling.addresses import RefusedAddress, check_address, normalise, own_host

    try:
        check_address(url, (own_host(url),), tuple(private_hosts))
        address, host, netloc = _resolved(normalise(url), private_hosts)
    except RefusedAddress as error:
        return f"not sent: the address in {WEBHOOK} is refused ({error.reason})"
    except OSError as error:
        return f"not sent: its host has no address ({type(error).__name__})"
    try:
        with httpx.Client(timeout=_SECONDS, follow_redirects=False, trust_env=False) as client:
            answer = client.post(
                address,
                json={"text": failure.sentence, **asdict(failure)},
                headers={"Host": netloc},
                extensions={"sni_hostname": host},
            )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"not sent ({type(error).__name__})"
    return "sent" if answer.is_success else f"not taken: HTTP {answer.status_code}"


def without_secrets(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """A message on one line, cut, with everything hidden that looks like a secret.

    Hidden are the values of variables that are named like one, credentials and queries in
    addresses, and what stands behind words such as `token=`.
    """
    values = sorted(
        {v for k, v in environment.items() if _SECRET_NAMES.search(k) and len(v) >= 6},
        key=len,
        reverse=True,
    )
    for value in values:
        text = text.replace(value, _MASK)
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return " ".join(text.split())[:_MOST]


def _resolved(url: str, private_hosts: Sequence[str]) -> tuple[str, str, str]:
    """The address with a checked number in the place of its host; the host; host and port."""
    from deepward.crawling.addresses import RefusedAddress, is_public

    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found: list[Any] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    numbers = [ipaddress.ip_address(entry[4][0].partition("%")[0]) for entry in found]
    if host not in private_hosts and not all(map(is_public, numbers)):
        raise RefusedAddress("private_address")
    number = f"[{numbers[0]}]" if numbers[0].version == 6 else str(numbers[0])
    place = urlunsplit((parts.scheme, f"{number}:{port}", parts.path, parts.query, ""))
    return place, host, parts.netloc


def _tail(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        return file.read().decode("utf-8", "replace")
