"""The backend without a language model: an algorithm per agent, over what was retrieved."""

from deepward.agents.backends.base import EXTRACTIVE, Answer, Request
from deepward.agents.extractive.sentences import SentenceVectors
from deepward.agents.roster import ROSTER
from deepward.files import canonical_json
from deepward.knowledge.embedding import Encoder
from deepward.techniques.taxonomy import load_taxonomy

__all__ = ["ExtractiveBackend"]


class ExtractiveBackend:
    """Answers by retrieval, ranking and composition; the same request gives the same bytes.

    It quotes; it does not write. Text of the evidence is only ever compared, counted and quoted.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._vectors = SentenceVectors(encoder)
        self._taxonomy = load_taxonomy()

    def answer(self, request: Request) -> Answer:
        """Does one task.

        Raises:
            AgentError: the inputs hold nothing to work on.
        """
        work = ROSTER[request.agent].algorithm(
            request.inputs, request.feedback, self._taxonomy, self._vectors
        )
        return Answer(text=canonical_json(work.model_dump(mode="json")), model=EXTRACTIVE)

    def input_tokens(self, request: Request) -> int:
        """None: nothing is read by a model."""
        return 0
