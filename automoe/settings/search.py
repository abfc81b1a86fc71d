"""The settings of a search; the defaults are the paper's, except that children are prescreened."""

from collections.abc import Mapping
from math import log10
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from automoe.settings.share import Confidence, Multiple, Share

# A search with more time on the device is the same search.
VERIFICATION_FIELDS = frozenset({"verify_most", "device_minutes"})

MOST = 2**31 - 1  # sizes and counts beyond it overflow in the libraries that get them
Count = Annotated[int, Field(ge=1, le=MOST)]
Amount = Annotated[int, Field(ge=0, le=MOST)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Limit = _Positive | None

_LEAST_GENERATIONS = 7


class EvolutionSettings(BaseModel):
    """The evolutionary algorithm of AutoMoE (arXiv 2210.07535, section 3.3) and HAT.

    Attributes:
        population: Architectures in the first generation.
        parents: Number of the best architectures from which the next generation is made.
        mutants: Children of each generation that change choices of one parent at random.
        crossovers: Children of each generation that mix two parents. Mutants replace them when
            the parents have no more new ones.
        mutation_probability: Probability that a mutant draws a choice anew.
        generations: Number of generations, with the first, random one; default: 30, or fewer in a
            small space.
        prescreen: Number of children drawn for each that is evaluated. Above 1, a regression on the
            evaluated architectures chooses among them; 1 is the paper's algorithm.
        random: Draw every generation at random, to compare with evolution.
        seed: Seed of every random draw.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    population: Count = 125
    parents: Count = 25
    mutants: Amount = 50
    crossovers: Amount = 50
    mutation_probability: Share = 0.3
    generations: Count = 30
    prescreen: Annotated[int, Field(ge=1, le=1000)] = 10
    random: bool = False
    seed: Seed = 0

    @model_validator(mode="after")
    def _check(self) -> "EvolutionSettings":
        if self.parents > self.population:
            raise ValueError(
                f"parents must be at most population={self.population}. Got {self.parents}"
            )
        return self

    def suited(self, n_architectures: int, *, begun: Mapping[str, int] | None = None) -> Self:
        """Return these settings with what the search chooses by itself, unless it was given.

        A space of ten times ten times as many architectures has one generation more, up to those of
        the paper (docs/adr/0025-as-many-evaluations-as-the-space-needs.md).

        Args:
            n_architectures: The number of architectures of the space.
            begun: What the search chose when it began; None when it did not begin.
        """
        suiting = _LEAST_GENERATIONS + round(log10(n_architectures) / 2)
        chosen = begun or {"generations": min(self.generations, suiting)}
        return self.model_copy(
            update={n: value for n, value in chosen.items() if n not in self.model_fields_set}
        )

    def evaluations(self, n_generations: int) -> int:
        """Return the most architectures that the first ``n_generations`` evaluate."""
        later = self.mutants + self.crossovers
        return self.population + (n_generations - 1) * later if n_generations > 0 else 0


class LimitedSettings(EvolutionSettings):
    """The settings of an evolution under limits; the budget is given elsewhere.

    Attributes:
        confidence: Confidence of the upper bound that must be within the budget.
        max_flops: Most FLOPs for one sentence, without the vocabulary projection.
        max_params: Most parameters, without the embeddings.
        max_active_params: Most parameters that one token uses, without the embeddings.
        max_memory_mb: Most megabytes of all weights in float32, with the embeddings.
        pareto: Search by NSGA-II for all trade-offs of fitness and latency within the budget.
        halvings: Number of times that the worse half of a generation is dropped early. Each
            evaluation before such a halving reads a quarter of the sentences of the next one.
        verify_top: Candidates that are measured together on the device, at most --verify-most.
        verify_most: Most candidates that are measured on the device.
        device_minutes: Minutes on the device after which no more candidates are measured.
    """

    confidence: Confidence = 0.95
    max_flops: Limit = None
    max_params: Limit = None
    max_active_params: Limit = None
    max_memory_mb: Limit = None
    pareto: bool = False
    halvings: Annotated[int, Field(ge=0, le=6)] = 0
    verify_top: Count = 5
    verify_most: Count = 20
    device_minutes: _Positive = 30.0

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
                f"'verify_top' must be at most 'verify_most' {self.verify_most}. "
                f"Got {self.verify_top}"
            )
        return self


class SearchSettings(LimitedSettings):
    """The settings of a search.

    Attributes:
        budget_ms: Latency in milliseconds that the winner must not exceed.
    """

    budget_ms: _Positive


class Budget(BaseModel):
    """A budget in milliseconds or as a share.

    Attributes:
        budget_ms: Latency in milliseconds that the winner must not exceed.
        budget_share: The same as a share of the latency that is predicted for the largest dense
            architecture, such as 0.8 or 80%.
    """

    budget_ms: _Positive | None = None
    budget_share: Multiple | None = None

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        if (self.budget_ms is None) == (self.budget_share is None):
            raise ValueError("give either 'budget_ms' or 'budget_share'")
        return self


class BudgetSettings(LimitedSettings, Budget):  # on a help page the fields of the last base lead
    """The settings of a search whose budget may be a share."""

    def settings(self, largest_dense_ms: float) -> SearchSettings:
        """Return the settings for a known latency of the largest dense architecture."""
        relative_ms = (self.budget_share or 1.0) * largest_dense_ms
        budget_ms = self.budget_ms or float(f"{relative_ms:.6g}")  # six digits, and never zero
        fields = self.model_dump(include=set(LimitedSettings.model_fields), exclude_unset=True)
        return SearchSettings(**fields, budget_ms=budget_ms)
