"""How a search evolves and verifies; the defaults are the paper's."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

# More time on the device is no other search.
VERIFICATION_FIELDS = frozenset({"verify_most", "device_minutes"})

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Limit = Annotated[float, Field(gt=0, allow_inf_nan=False)] | None


class EvolutionSettings(BaseModel):
    """The evolutionary algorithm of AutoMoE (arXiv 2210.07535, section 3.3) and HAT.

    Attributes:
        population: Architectures in the first generation.
        parents: The best architectures so far, from which the next generation is made.
        mutants: Children that each generation gets by changing choices of a parent at random.
        crossovers: Children that each generation gets by mixing two parents. Mutants take the
            place of those that the parents have no more of.
        mutation_probability: Probability with which a mutant draws a choice anew.
        generations: Number of generations, including the first, random one.
        random: Draw every generation at random, as the baseline of evolution.
        seed: Seed of every random draw.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    population: Count = 125
    parents: Count = 25
    mutants: Annotated[int, Field(ge=0)] = 50
    crossovers: Annotated[int, Field(ge=0)] = 50
    mutation_probability: Share = 0.3
    generations: Count = 30
    random: bool = False
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _check(self) -> "EvolutionSettings":
        if self.parents > self.population:
            raise ValueError(
                f"parents must be at most population={self.population}. Got {self.parents}"
            )
        return self


class LimitedSettings(EvolutionSettings):
    """An evolution under limits, of which the latency budget is given apart.

    Attributes:
        confidence: Confidence of the predictor's upper bound, which must be within the budget.
        max_flops: Most FLOPs for one sentence, without the vocabulary projection.
        max_params: Most parameters, without the embeddings.
        max_active_params: Most parameters that one token uses, without the embeddings.
        max_memory_mb: Most megabytes of all weights in float32, including the embeddings.
        pareto: Look for all trade-offs of loss and latency up to the budget by NSGA-II, instead
            of the least loss.
        halvings: How many times the worse half of a generation is dropped before the rest is
            evaluated on all sentences. Each time a quarter of the next number of sentences is
            read.
        verify_top: Candidates that are measured together on the device; fewer where fewer are
            measured in all.
        verify_most: Most candidates that are measured on the device.
        device_minutes: Minutes on the device after which no more candidates are measured.
    """

    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    max_flops: Limit = None
    max_params: Limit = None
    max_active_params: Limit = None
    max_memory_mb: Limit = None
    pareto: bool = False
    halvings: Annotated[int, Field(ge=0, le=6)] = 0
    verify_top: Count = 5
    verify_most: Count = 20
    device_minutes: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 30.0

    @model_validator(mode="after")
    def _check_halvings(self) -> "LimitedSettings":
        if self.pareto and self.halvings:
            raise ValueError(
                f"halvings must be 0 with pareto: a half that is dropped for its loss may hold "
                f"the fastest. Got {self.halvings}"
            )
        if self.population < self.parents << self.halvings:
            raise ValueError(
                f"halvings must leave parents={self.parents} of population={self.population}. "
                f"Got {self.halvings}"
            )
        return self

    @model_validator(mode="after")
    def _check_verification(self) -> "LimitedSettings":
        is_given = "verify_top" in self.model_fields_set
        if is_given and self.verify_top > self.verify_most:
            raise ValueError(
                f"verify_top must be at most verify_most={self.verify_most}. Got {self.verify_top}"
            )
        return self


class SearchSettings(LimitedSettings):
    """An evolution under limits and a latency budget.

    Attributes:
        budget_ms: Latency in milliseconds that no returned architecture may exceed.
    """

    budget_ms: Annotated[float, Field(gt=0, allow_inf_nan=False)]
