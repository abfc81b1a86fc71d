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
from automoe.text import Corpus, open_corpus
from automoe.training import TrainingSettings
from devices.files import write_json
from devices.yaml_json import FileContentError, parse_json, read_yaml

_WHERE = {"jobs", "cluster"}  # the result of a search does not depend on these fields
_UNCLAIMED = {"track"}  # nor that of a training on this one


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
        before, now = _fields(written), _fields(own)
        usual = _fields(_usual(self))  # an earlier release did not have the fields that it left out
        before |= {name: usual[name] for name in now.keys() & usual.keys() - before.keys()}
        different = sorted(x for x in before.keys() | now.keys() if before.get(x) != now.get(x))
        of_search = [name for name in different if name.startswith("search.")]
        if not (self.folder / SEARCH_STATE).exists():
            different = [name for name in different if name not in of_search]
        if different:
            raise ConfigError(
                f"'{self.folder}' holds a run with another '{different[0]}': "
                f"{before.get(different[0])}. "
                "Give this one another 'name' and 'output', or delete the folder"
                + (f"; or {self._search_alone}" if different == of_search else "")
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


def _fields(content: dict[str, Any], within: str = "") -> dict[str, Any]:
    """Return the fields of all sections by their names, such as `search.budget_ms`."""
    fields: dict[str, Any] = {}
    for name, value in content.items():
        if isinstance(value, dict):
            fields |= _fields(value, f"{within}{name}.")
        else:
            fields[within + name] = value
    return fields


def _usual(section: BaseModel) -> dict[str, Any]:
    """Return the defaults of a section and of the sections in it, as a file has them."""
    given = dict(section)
    defaults = {
        name: field.get_default(call_default_factory=True, validated_data=given)
        for name, field in type(section).model_fields.items()
        if not field.is_required()
    }
    usual = section.model_copy(update=defaults).model_dump(mode="json", include=set(defaults))
    within = {name: _usual(own) for name, own in given.items() if isinstance(own, BaseModel)}
    return usual | within
