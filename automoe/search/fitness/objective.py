"""The fitness that an objective's name means."""

from pathlib import Path

from automoe.search.fitness.bleu import BleuFitness
from automoe.search.fitness.imported import ImportedFitness
from automoe.search.fitness.validation import Fitness, supernet_fitness
from automoe.text import Corpus

OF_TEXT = frozenset({"loss", "bleu"})  # the objectives that read the validation text


def objective_fitness(
    objective: str, supernet: Path, corpus: Corpus | None, *, halvings: int = 0
) -> tuple[Fitness, ...]:
    """Return what a search minimises, one for each stage of halving.

    Args:
        objective: ``loss``, ``bleu`` or ``MODULE:FUNCTION``.
        supernet: Folder of `automoe train`.
        corpus: Whose valid split is read; the objectives that read no text need none.
        halvings: How often the worse half is dropped before all of the text is read.

    Raises:
        ValueError: The objective cannot read less text, and halvings were asked for.
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
