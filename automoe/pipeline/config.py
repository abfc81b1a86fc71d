"""What a run does, as one YAML file."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from automoe.architecture.routing_pattern import RoutingPattern
from automoe.architecture.space import SearchSpace
from automoe.architecture.workload import TranslationWorkload
from automoe.pipeline.run_files import CONFIG, PREDICTOR, SEARCH_STATE, SUPERNET
from automoe.search.workers.pool import parsed_cluster
from automoe.settings.search import (
    VERIFICATION_FIELDS,
    Count,
    LimitedSettings,
    SearchSettings,
)
from automoe.training import TrainingSettings
from automoe.validation import explain
from devices.files import write_json

_WHERE = {"jobs", "cluster"}  # of a search, which finds the same wherever it runs
_SINCE_0_1_0 = {"workload": {"src_len": None, "tgt_len": None, "batch": 1}}  # and what it did


class ConfigError(ValueError):
    """A run's configuration that cannot be used; file, field and value are named."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SpaceSection(_Section):
    """Which space: a preset or a file, and its experts."""

    name: str
    max_experts: Count | None = None
    fractional: bool | None = None

    def open(self) -> SearchSpace:
        """The space.

        Raises:
            SpaceError: There is no such space.
        """
        return SearchSpace.load(self.name, max_experts=self.max_experts, fractional=self.fractional)


class DataSection(_Section):
    """Which text; without a folder the English-German corpus of the package."""

    folder: Path | None = None
    source: str = "en"
    target: str = "de"


class WorkloadSection(_Section):
    """How long the timed sentence is, and how it is decoded and routed.

    Attributes:
        src_len: Source tokens; None takes the space's own, as below.
        tgt_len: Target tokens.
        beam: Hypotheses that are followed at the same time.
        batch: Sentences that are translated together; the budget is for all of them.
        routing: Which experts the tokens go to.
    """

    src_len: Count | None = None
    tgt_len: Count | None = None
    beam: Count = 1
    batch: Count = 1
    routing: str = "balanced"

    @model_validator(mode="after")
    def _check(self) -> Self:
        try:
            RoutingPattern.open(self.routing)
        except OSError as error:
            raise ValueError(f"'{self.routing}' cannot be read: {error.strerror}") from None
        return self

    def of(self, space: SearchSpace) -> TranslationWorkload:
        """Return the sentence, of the space's lengths where no others are given."""
        routing = RoutingPattern.open(self.routing)
        sentence = TranslationWorkload.of(space, beam=self.beam, batch=self.batch, routing=routing)
        return replace(
            sentence,
            src_len=self.src_len or sentence.src_len,
            tgt_len=self.tgt_len or sentence.tgt_len,
        )


class ProfileSection(_Section):
    """How many architectures are measured, and how precisely."""

    architectures: Annotated[int, Field(ge=20)] = 60
    fast: bool = False
    threads: Count = 1


class SearchSection(LimitedSettings):
    """The search; its budget in milliseconds or relative to the largest dense architecture.

    Attributes:
        jobs: Processes that evaluate. What is found does not depend on it, nor on the cluster, so
            both may change between two calls of one run.
        cluster: Evaluates instead; see `automoe.search.workers.pool`.
    """

    budget_ms: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    budget_share: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    jobs: Count = 1
    cluster: str | None = None

    @model_validator(mode="after")
    def _check_cluster(self) -> Self:
        if self.cluster not in (None, "ray"):
            parsed_cluster(self.cluster)
        return self

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        if (self.budget_ms is None) == (self.budget_share is None):
            raise ValueError("give either budget_ms or budget_share")
        return self

    def settings(self, largest_dense_ms: float) -> SearchSettings:
        """The settings, once the largest dense architecture's latency is known."""
        relative_ms = (self.budget_share or 1.0) * largest_dense_ms
        budget_ms = self.budget_ms or float(f"{relative_ms:.6g}")  # never rounds to zero
        exclude = {"budget_ms", "budget_share", *_WHERE}
        fields = self.model_dump(exclude=exclude, exclude_unset=True)
        return SearchSettings(**fields, budget_ms=budget_ms)


class EvaluateSection(_Section):
    """How the test set is translated."""

    beam: Count = 4
    length_penalty: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.6
    sentences: Count | None = None


class RunConfig(_Section):
    """All sections of a run.

    Attributes:
        name: Of the run; its folder is ``runs/<name>`` unless ``output`` is given.
        device: The plugin that measures, or a machine of ``devices.yaml``.
        host: Where it is: a destination of ssh; None for this machine.
        seed: Of the sampled architectures.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$")]
    output: Path | None = None
    device: str = "cpu"
    host: str | None = None
    seed: Annotated[int, Field(ge=0)] = 0
    space: SpaceSection
    data: DataSection = DataSection()
    workload: WorkloadSection = WorkloadSection()
    profile: ProfileSection = ProfileSection()
    train: TrainingSettings = TrainingSettings()
    search: SearchSection
    finetune: TrainingSettings = TrainingSettings()
    evaluate: EvaluateSection = EvaluateSection()

    @property
    def folder(self) -> Path:
        """Where everything goes."""
        return self.output or Path("runs") / self.name

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a YAML file.

        Raises:
            ConfigError: It is missing, not YAML, or a field is unknown, missing or out of range.
        """
        try:
            content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
            return cls.model_validate(content)
        except OSError as error:
            raise ConfigError(f"'{path}' cannot be read: {error.strerror}. Check it.") from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
        except ValidationError as error:
            raise ConfigError(f"{path}: {explain(error)}") from None

    def claim(self) -> None:
        """Make the run's folder, or accept the one that this very configuration made.

        Raises:
            ConfigError: The folder belongs to a run with another configuration.
        """
        self.require_own_folder()
        write_json(self.folder / CONFIG, self._claimed())

    def require_own_folder(self) -> None:
        """Write nothing, but accept only a folder that this configuration may claim.

        Nothing depends on the section of the search, such as its budget, until the search begins.

        Raises:
            ConfigError: The folder belongs to a run with another configuration.
        """
        path, own = self.folder / CONFIG, self._claimed()
        if not path.exists():
            return
        try:
            found: dict[str, Any] = dict(json.loads(path.read_text(encoding="utf-8")))
        except (TypeError, ValueError):
            raise ConfigError(f"'{path}' is damaged. Delete '{self.folder}' to start.") from None
        for section, fields in _SINCE_0_1_0.items():
            if isinstance(found.get(section), dict):
                found[section] = {**fields, **found[section]}
        different = sorted(
            key for key in own.keys() | found.keys() if own.get(key) != found.get(key)
        )
        if not (self.folder / SEARCH_STATE).exists():
            different = [key for key in different if key != "search"]
        if different:
            difference = _difference(found, own, different[0])
            raise ConfigError(
                f"'{self.folder}' holds a run with another {difference}. "
                "Give this one another 'name' and 'output', or delete the folder"
                + (f"; or {self._search_alone}" if different == ["search"] else "")
                + "."
            )

    @property
    def _search_alone(self) -> str:
        supernet, predictor = self.folder / SUPERNET, self.folder / PREDICTOR
        return (
            f"search once more with what was trained there: 'automoe search --supernet {supernet} "
            f"--predictor {predictor} --budget-ms MS -o FILE'"
        )

    def _claimed(self) -> dict[str, Any]:
        return self.model_dump(
            mode="json",
            exclude={"output": True, "host": True, "search": _WHERE | VERIFICATION_FIELDS},
        )


def _difference(found: dict[str, Any], own: dict[str, Any], key: str) -> str:
    """The field of a section, or the section itself, in which two configurations differ."""
    before, now = found.get(key), own.get(key)
    if isinstance(before, dict) and isinstance(now, dict):
        field = next(x for x in sorted(before.keys() | now.keys()) if before.get(x) != now.get(x))
        return f"'{key}.{field}': {before.get(field)}"
    return f"'{key}': {before}"
