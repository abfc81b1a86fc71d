"""Turn the name of an objective into its fitness."""

from pathlib import Path

from automoe.search.fitness.bleu import BleuFitness
from automoe.search.fitness.imported import ImportedFitness
from automoe.search.fitness.validation import Fitness, supernet_fitness
from automoe.text import Corpus

OF_TEXT = frozenset({"loss", "bleu"})  # the objectives that read the validation text


def objective_fitness(
    objective: str, supernet: Path, corpus: Corpus | None, *, halvings: int = 0
) -> tuple[Fitness, ...]:
    """Return the fitness that a search minimises, one for each stage of halving.

    Args:
        objective: ``loss``, ``bleu`` or ``MODULE:FUNCTION``.
        supernet: The folder of `automoe train`.
        corpus: The corpus whose valid split is read; None for an objective without text.
        halvings: The number of times that the worse half is dropped before all text is read.

    Raises:
        ValueError: Halvings were given for an objective that cannot read less text.
        ObjectiveError: There is no such module, or no such callable in it.
    """
    if objective == "loss" and corpus is not None:
        return supernet_fitness(supernet, corpus, halvings)
    if halvings:
        raise ValueError(
            f"'halvings' needs the objective loss, which can read less text. Got '{objective}'."
        )
    if objective == "bleu" and corpus is not None:
        return (BleuFitness(supernet.absolute(), corpus.absolute()),)
    return (ImportedFitness(objective),)
