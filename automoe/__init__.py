"""AutoMoE: hardware-aware search for sparse Transformers under a millisecond budget.

Names are loaded when they are first used, so that ``import automoe`` stays quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from automoe._siblings import check_siblings

__version__ = "0.1.0"

check_siblings()

_HOMES = {
    "Architecture": "automoe.architecture",
    "LatencyModel": "automoe.latency_model",
    "RunConfig": "automoe.pipeline",
    "SearchSettings": "automoe.search",
    "SearchSpace": "automoe.space",
    "TrainedModel": "automoe.model_folder",
    "TrainingSettings": "automoe.training",
    "Transformer": "automoe.supernet",
    "TranslationWorkload": "automoe.workload",
    "Translator": "automoe.translation",
    "export_model": "automoe.export",
    "extract": "automoe.supernet",
    "finetune": "automoe.training",
    "fit_log": "predictors",
    "profile_architectures": "automoe.profiling",
    "read_architecture": "automoe.architecture_files",
    "run": "automoe.pipeline",
    "train_supernet": "automoe.training",
    "verify": "automoe.search",
}
# Modules whose functions bear the module's name: automoe.cost.cost, automoe.search.search.
_MODULES = ("cost", "features", "search")
__all__ = sorted([*_HOMES, *_MODULES, "__version__"])

if TYPE_CHECKING:
    from automoe import cost as cost
    from automoe import features as features
    from automoe import search as search
    from automoe.architecture import Architecture as Architecture
    from automoe.architecture_files import read_architecture as read_architecture
    from automoe.export import export_model as export_model
    from automoe.latency_model import LatencyModel as LatencyModel
    from automoe.model_folder import TrainedModel as TrainedModel
    from automoe.pipeline import RunConfig as RunConfig
    from automoe.pipeline import run as run
    from automoe.profiling import profile_architectures as profile_architectures
    from automoe.search import SearchSettings as SearchSettings
    from automoe.search import verify as verify
    from automoe.space import SearchSpace as SearchSpace
    from automoe.supernet import Transformer as Transformer
    from automoe.supernet import extract as extract
    from automoe.training import TrainingSettings as TrainingSettings
    from automoe.training import finetune as finetune
    from automoe.training import train_supernet as train_supernet
    from automoe.translation import Translator as Translator
    from automoe.workload import TranslationWorkload as TranslationWorkload
    from predictors import fit_log as fit_log


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"automoe.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'automoe' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
