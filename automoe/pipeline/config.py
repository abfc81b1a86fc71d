"""Read the configuration of a run, one YAML file."""

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from automoe.architecture.space import SearchSpace
from automoe.field_errors import FieldError, validated
from automoe.run_files import CONFIG, PREDICTOR, SEARCH_STATE, SUPERNET
from automoe.search.workers.pool import parsed_cluster
from automoe.settings.groups import (
    DecodingSettings,
    PrecisionSettings,
    SentenceSettings,
    SpaceSettings,
)
from automoe.settings.search import (
    MOST,
    VERIFICATION_FIELDS,
    BudgetSettings,
    Count,
    Seed,
)
from automoe.settings.training import SINCE_0_1_0
from automoe.text import Corpus, open_corpus
from automoe.training import TrainingSettings
from devices.files import write_json
from devices.yaml_json import FileContentError, parse_json, read_yaml

_WHERE = {"jobs", "cluster"}  # the result of a search does not depend on these fields
_UNCLAIMED = {"track"}  # nor that of a training on this one
# The fields that release 0.1.0 did not write, with the values that it used.
_NEW_IN_TRAININGS = TrainingSettings().model_dump(
    mode="json", include=set(SINCE_0_1_0 - _UNCLAIMED)
)
_SINCE_0_1_0 = {
    "workload": {"src_len": None, "tgt_len": None, "batch": 1, "precision": "fp32"},
    "train": _NEW_IN_TRAININGS,
    "finetune": _NEW_IN_TRAININGS,
}


class ConfigError(ValueError):
    """A run's configuration cannot be used. The message names file, field and value."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SpaceSection(_Section, SpaceSettings):
    """The search space: a preset or a file, and its experts."""

    name: str

    def open(self) -> SearchSpace:
        """Return the space.

        Raises:
            SpaceError: There is no such space.
        """
        return self.load(self.name)


class DataSection(_Section):
    """The corpus; without a folder the English-German one of this package."""

    folder: Path | None = None
    source: str = "en"
    target: str = "de"

    def open(self) -> Corpus:
        """Return the corpus.

        Raises:
            CorpusError: There is no such corpus.
        """
        return open_corpus(self.folder, source=self.source, target=self.target)


class WorkloadSection(_Section, SentenceSettings):
    """The sentence that is timed."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        try:
            self.sentence(None)  # it raises what is wrong
        except OSError as error:
            raise ValueError(f"'{self.routing}' cannot be read: {error.strerror}") from None
        return self


class ProfileSection(_Section, PrecisionSettings):
    """The number of architectures that are measured, and the precision."""

    architectures: Annotated[int, Field(ge=20, le=MOST)] = 60


class SearchSection(BudgetSettings):
    """The settings of the search.

    Attributes:
        jobs: The number of processes that evaluate; by default the usable cores. It may change
            between two calls of one run, and so may the cluster: the result does not depend on
            them.
        cluster: The address of a cluster that evaluates instead; see
            `automoe.search.workers.pool`.
    """

    jobs: Count | None = None
    cluster: str | None = None

    @model_validator(mode="after")
    def _check_cluster(self) -> Self:
        if self.cluster not in (None, "ray"):
            parsed_cluster(self.cluster)
        return self


class EvaluateSection(_Section, DecodingSettings):
    """The sentences of the test split that are translated, and the decoding."""

    sentences: Count | None = None


class RunConfig(_Section):
    """The configuration of a run, with all its sections.

    Attributes:
        name: The name of the run. Its folder is ``runs/<name>`` unless ``output`` is given.
        device: The device plugin that measures, or a machine of ``devices.yaml``.
        host: The host of the device, a destination of ssh; None for this machine.
        seed: The seed of the architectures that are drawn and of the order of measuring.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$")]
    output: Path | None = None
    device: str = "cpu"
    host: str | None = None
    seed: Seed = 0
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
        """The folder of the run."""
        return self.output or Path("runs") / self.name

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a YAML file.

        Raises:
            ConfigError: The file is missing or not YAML, or a field is unknown, missing or out of
                range.
        """
        try:
            return cls.of(read_yaml(path), path)
        except OSError as error:
            raise ConfigError(f"'{path}' cannot be read: {error.strerror}. Check it.") from None
        except FileContentError as error:
            raise ConfigError(str(error)) from None

    @classmethod
    def of(cls, content: dict[str, Any], path: Path) -> Self:
        """Return the configuration that was read from a YAML file.

        Raises:
            ConfigError: A field is unknown, missing or out of range. The message names ``path``.
        """
        try:
            return validated(cls, content)
        except FieldError as error:
            raise ConfigError(f"{path}: {error}") from None

    def claim(self) -> None:
        """Make the run's folder, or accept the one that the same configuration made.

        Raises:
            ConfigError: The folder belongs to a run with another configuration.
        """
        self.require_own_folder()
        write_json(self.folder / CONFIG, self._claimed())

    def require_own_folder(self) -> None:
        """Check that this configuration may use the run's folder; nothing is written.

        The section of the search may change until the search begins.

        Raises:
            ConfigError: The folder belongs to a run with another configuration.
        """
        path, own = self.folder / CONFIG, self._claimed()
        if not path.exists():
            return
        try:
            written: dict[str, Any] = dict(parse_json(path.read_bytes()))
        except (TypeError, ValueError):
            raise ConfigError(f"'{path}' is damaged. Delete '{self.folder}' to start.") from None
        for section, fields in _SINCE_0_1_0.items():
            if isinstance(written.get(section), dict):
                written[section] = {**fields, **written[section]}
        different = _differences(written, own)
        if not (self.folder / SEARCH_STATE).exists():
            different = [key for key in different if key != "search"]
        if different:
            key = different[0]
            before, now, where = written.get(key), own.get(key), key
            if isinstance(before, dict) and isinstance(now, dict):
                field = _differences(before, now)[0]
                before, where = before.get(field), f"{key}.{field}"
            raise ConfigError(
                f"'{self.folder}' holds a run with another '{where}': {before}. "
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
            exclude={
                "output": True,
                "host": True,
                "train": _UNCLAIMED,
                "finetune": _UNCLAIMED,
                "search": _WHERE | VERIFICATION_FIELDS,
            },
        )


def _differences(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """Return the keys whose values differ, sorted."""
    return sorted(x for x in first.keys() | second.keys() if first.get(x) != second.get(x))
