"""This module reads the configuration of the experiment and knows its folders."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from automoe.architecture.space import SearchSpace
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.field_errors import validated
from automoe.settings.groups import DecodingSettings, PrecisionSettings
from automoe.settings.search import Amount, Count, EvolutionSettings, Seed
from automoe.text import Corpus, Vocabulary, open_corpus
from automoe.training import TrainingSettings
from devices.yaml_json import read_yaml

Kind = Literal["dense", "standard", "fractional"]
Share = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
BASELINES = ("manual", "switch")


def asked_fields(section: BaseModel) -> dict[str, Any]:
    """Return the fields of a section that a configuration sets, as JSON types.

    A later release may have more of them. Results of before stay valid under their defaults.
    """
    return section.model_dump(mode="json", exclude_unset=True)


def changed(settings: TrainingSettings, changes: Mapping[str, Any]) -> TrainingSettings:
    """Return settings with some changes.

    Raises:
        SettingsError: A change is no setting, or out of range.
    """
    return TrainingSettings.of(**asked_fields(settings) | changes)


class Section(BaseModel):
    """A part of the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TextSection(Section):
    """The corpus.

    Attributes:
        folder: The folder of the corpus; None for the one of the package.
        source: The language to translate from.
        target: The language to translate into.
        unseen: The number of the first test sentences that are of documents without train pairs.
            They are also reported apart.
    """

    folder: Path | None = None
    source: str = "en"
    target: str = "de"
    unseen: Amount = 0


class ProfileSection(Section, PrecisionSettings):
    """The latency log that the predictor is fitted to; a third is of each kind of the space."""

    architectures: Annotated[int, Field(ge=20)] = 60


class MeasureSection(Section):
    """The session that measures all architectures of the result.

    Attributes:
        precisions: The precisions, each of which has a session of its own.
        half_width: The relative half-width at which a latency is known well enough.
        minutes: The minutes that a session needs. It does not begin when fewer are left, because
            it is not interrupted: all architectures are measured in one session.
    """

    precisions: tuple[Literal["fp32", "int8"], ...] = ("fp32",)
    half_width: Share = 0.01
    minutes: Amount = 0


class Candidate(Section):
    """Settings that are tried, as changes of those of the section."""

    name: Name
    changes: dict[str, Any] = {}


class RankingSection(Section):
    """The subnets that are trained alone, to judge the supernet's losses.

    Attributes:
        of_each_kind: The number of subnets of each kind of experts.
        train: The settings of these trainings.
        repeats: Other settings with which the subnets are trained alone again, such as more
            updates or another seed. They judge the supernet's losses as well.
        supernets: Supernets with other settings, which rank the same subnets.
    """

    of_each_kind: Count = 7
    train: TrainingSettings
    repeats: tuple[Candidate, ...] = ()
    supernets: tuple[Candidate, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        for section in ("repeats", "supernets"):
            names = [each.name for each in getattr(self, section)]
            if len(set(names)) < len(names):
                raise ValueError(f"ranking.{section} must have different names. Got {names}")
        return self


class Method(Section):
    """One way of searching.

    Attributes:
        name: The name in the report.
        kind: The kind of experts.
        random: Whether every architecture is drawn at random.
        repeated: Whether the search at the main budget is repeated with every seed.
    """

    name: Name
    kind: Kind
    random: bool = False
    repeated: bool = False


class Remedy(Section):
    """A method with other settings of the evolution, searched at the main budget with every seed.

    Attributes:
        name: The name in the report.
        of: The method.
        changes: The settings.
    """

    name: Name
    of: Name
    changes: dict[str, Any]


class Parity(Section):
    """Searches for architectures that cost less than the winner of another method.

    Attributes:
        of: The method whose winner at the main budget is compared.
        latency: The budget as a share of that winner's predicted latency.
        flops: The most FLOPs as a share of that winner's.
        methods: The methods that search.
    """

    of: Name
    latency: Share = 0.9
    flops: Share = 0.77
    methods: tuple[Name, ...]


class SearchSection(Section):
    """All searches.

    Attributes:
        evolution: The sizes of each search, the same for all methods.
        budgets: The budgets as shares of the predicted latency of the manual architecture.
        main: The budget whose winners are trained to the end.
        main_flops: The most FLOPs at the main budget, as a share of the manual architecture's;
            None for no limit.
        seeds: The seeds of repeated searches; the first one serves all others.
        methods: The methods.
        parity: The searches below another winner, or None for none.
        remedies: Searches with other settings of the evolution.
    """

    evolution: EvolutionSettings
    budgets: tuple[Share, ...]
    main: Share
    main_flops: Share | None = None
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = (0, 1, 2)
    methods: tuple[Method, ...]
    parity: Parity | None = None
    remedies: tuple[Remedy, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.main not in self.budgets:
            raise ValueError(f"main must be one of the budgets {self.budgets}. Got {self.main}")
        known = {method.name for method in self.methods}
        asked = {self.parity.of, *self.parity.methods} if self.parity else set()
        if asked - known:
            raise ValueError(f"parity must name methods. Got {sorted(asked - known)}")
        for remedy in self.remedies:
            if remedy.of not in known:
                raise ValueError(f"remedies must be of a method. Got {remedy.of!r}")
        names = [x.name for x in (*self.methods, *self.remedies)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(
                f"methods and remedies must have names of their own. Got {twice} again"
            )
        return self

    def method(self, name: str) -> Method:
        """Return the method of that name."""
        return next(method for method in self.methods if method.name == name)


class Final(Section):
    """Final trainings of one architecture, one for each seed.

    Attributes:
        name: The name in the report.
        of: ``manual``, ``switch``, a method or a remedy of a search (its winner at the main
            budget), or a method and ``parity`` with a colon between them.
        seeds: The seeds; None for those of all finals.
        start: Whether the first weights are new or the supernet's.
        changes: Settings of this training alone, such as another balance weight.
    """

    name: Name
    of: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*(:parity)?$")]
    seeds: tuple[Seed, ...] | None = None
    start: Literal["scratch", "supernet"] = "scratch"
    changes: dict[str, Any] = {}


class FinalSection(Section):
    """The final trainings, which all have the same updates and batches of each seed."""

    train: TrainingSettings
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = (0, 1, 2)
    models: tuple[Final, ...]

    def settings(self, final: Final, seed: int) -> TrainingSettings:
        """Return the settings of one training.

        Raises:
            SettingsError: A change is no setting, or out of range.
        """
        return changed(self.train, final.changes | {"seed": seed})


class TuningSection(Section):
    """Short trainings of the manual architecture, after which the final settings were chosen."""

    train: TrainingSettings
    candidates: tuple[Candidate, ...]

    def settings(self, candidate: Candidate) -> TrainingSettings:
        """Return the settings of one training.

        Raises:
            SettingsError: A change is no setting, or out of range.
        """
        return changed(self.train, candidate.changes)


class EvaluateSection(Section, DecodingSettings):
    """The decoding of the test split; ``sentences`` takes only the first ones."""

    sentences: Count | None = None


class ClaimConfig(Section):
    """The configuration of the experiment.

    Attributes:
        space: The fractional space, which holds the standard and the dense one.
        beam: The number of hypotheses of the sentence that is timed.
        train: The settings of the supernet's training.
        device: The device that is measured.
        seed: The seed of the architectures that are drawn and of the order of measuring.
    """

    name: Name
    text: TextSection = TextSection()
    space: SearchSpace
    beam: Count = 4
    device: str = "cpu"
    seed: Seed = 0
    profile: ProfileSection = ProfileSection()
    train: TrainingSettings
    ranking: RankingSection
    search: SearchSection
    measure: MeasureSection = MeasureSection()
    tuning: TuningSection | None = None
    final: FinalSection
    evaluate: EvaluateSection = EvaluateSection()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.space.fractional or self.space.max_experts < 2:
            raise ValueError("space must be fractional and have at least 2 experts")
        known = {*BASELINES, *(method.name for method in self.search.methods)}
        parity = self.search.parity.methods if self.search.parity else ()
        known |= {f"{name}:parity" for name in parity}
        known |= {remedy.name for remedy in self.search.remedies}
        for final in self.final.models:
            if final.of not in known:
                raise ValueError(f"final.models.of must be one of {sorted(known)}. Got {final.of}")
        return self

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a YAML file, in which the space may be a file, named as seen from there.

        Raises:
            OSError: The file cannot be read.
            FileContentError, FieldError, SpaceError: The file is not such a configuration.
        """
        content = read_yaml(path)
        if isinstance(file := content.get("space"), str):
            content["space"] = asked_fields(SearchSpace.load(str(path.parent / file)))
        return validated(cls, content)

    @property
    def workload(self) -> TranslationWorkload:
        """The sentence that is timed."""
        return TranslationWorkload.of(self.space, beam=self.beam)

    def space_of(self, kind: Kind) -> SearchSpace:
        """Return the part of the space that has experts of one kind."""
        if kind == "dense":
            return self.space.with_experts(1, fractional=False)
        return self.space.with_experts(fractional=kind == "fractional")


KINDS: tuple[Kind, ...] = ("dense", "standard", "fractional")


@dataclass(frozen=True, slots=True)
class Experiment:
    """The experiment with its folders.

    Attributes:
        config: The configuration.
        text: The folder of the corpus; None for the one of the package.
        work: The folder for weights and for what is in progress. It is outside of git.
        results: The folder of the raw results, which are committed.
    """

    config: ClaimConfig
    text: Path | None
    work: Path
    results: Path

    @property
    def corpus(self) -> Corpus:
        """The corpus.

        Raises:
            CorpusError: There is no such corpus.
        """
        section = self.config.text
        return open_corpus(self.text, source=section.source, target=section.target).absolute()

    @property
    def vocabulary_path(self) -> Path:
        """The file of the vocabulary, which is kept with the results."""
        return self.results / "vocabulary.model"

    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary that the text step made."""
        return Vocabulary.load(self.vocabulary_path)

    @property
    def supernet(self) -> Path:
        """The folder of the supernet."""
        return self.work / "supernet"

    @property
    def predictor(self) -> Path:
        """The file of the latency predictor."""
        return self.work / "latency.predictor"
