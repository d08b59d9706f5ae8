"""The backend without a language model: an algorithm per agent, over what was retrieved."""

from pydantic import BaseModel

from deepward.agents.backends import Answer, Request
from deepward.agents.extractive.collector import plan_calls
from deepward.agents.extractive.patterns import synthesize
from deepward.agents.extractive.prompts import compose_prompts
from deepward.agents.extractive.refiner import refine
from deepward.agents.extractive.reporter import write_report
from deepward.agents.extractive.reviewer import review
from deepward.agents.extractive.sentences import SentenceVectors
from deepward.agents.extractive.strategist import plan_queries
from deepward.agents.inputs import (
    CollectionInputs,
    PatternInputs,
    PromptInputs,
    RefinementInputs,
    ReportInputs,
    ReviewInputs,
    StrategyInputs,
)
from deepward.errors import AgentError
from deepward.files import canonical_json
from deepward.knowledge.embedding import Encoder
from deepward.techniques.taxonomy import load_taxonomy

__all__ = ["EXTRACTIVE", "ExtractiveBackend"]

EXTRACTIVE = "extractive"  # what answers name as their model


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
            AgentError: the inputs are of no known agent, or hold nothing to work on.
        """
        work = self._work(request.inputs, request.feedback)
        return Answer(text=canonical_json(work.model_dump(mode="json")), model=EXTRACTIVE)

    def input_tokens(self, request: Request) -> int:
        """None: nothing is read by a model."""
        return 0

    def _work(self, inputs: BaseModel, feedback: tuple[str, ...]) -> BaseModel:
        taxonomy, vectors = self._taxonomy, self._vectors
        match inputs:
            case StrategyInputs():
                return plan_queries(inputs, feedback, taxonomy)
            case CollectionInputs():
                return plan_calls(inputs)
            case ReportInputs():
                return write_report(inputs, feedback, taxonomy, vectors)
            case RefinementInputs():
                return refine(inputs, taxonomy, vectors)
            case PatternInputs():
                return synthesize(inputs, feedback, taxonomy)
            case PromptInputs():
                return compose_prompts(inputs, feedback, taxonomy, vectors)
            case ReviewInputs():
                return review(inputs)
        raise AgentError(f"The extractive backend has no algorithm for {type(inputs).__name__}.")
