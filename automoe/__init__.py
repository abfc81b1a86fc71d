"""AutoMoE: hardware-aware search for sparse Transformers under a millisecond budget.

Names are loaded when they are first used, so that ``import automoe`` stays quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from automoe._siblings import check_siblings

__version__ = "0.1.0"

check_siblings()

_HOMES = {
    "Architecture": "automoe.architecture.architecture",
    "LatencyModel": "automoe.latency.model",
    "Predictor": "predictors",
    "Protocol": "profilers",
    "RunConfig": "automoe.pipeline",
    "SearchSettings": "automoe.search",
    "SearchSpace": "automoe.architecture.space",
    "TrainedModel": "automoe.training.model_folder",
    "TrainingSettings": "automoe.training",
    "Transformer": "automoe.supernet",
    "TranslationWorkload": "automoe.architecture.translation_workload",
    "Translator": "automoe.translation",
    "audit_log": "profilers",
    "compare": "profilers",
    "describe_devices": "devices",
    "draw_report": "automoe.pipeline",
    "evaluate": "automoe.translation",
    "export_model": "automoe.export",
    "extract": "automoe.supernet",
    "finetune": "automoe.training",
    "fit_log": "predictors",
    "lint_dialects": "profilers.tensorrt.lint",
    "load": "automoe.training.model_folder",
    "open_corpus": "automoe.text",
    "opened_device": "devices.opening",
    "profile_architectures": "automoe.latency.architecture_profiling",
    "profile_model": "automoe.latency.model_profiling",
    "publish_model": "automoe.training.publishing",
    "read_any_log": "profilers",
    "read_architecture": "automoe.architecture.architecture_files",
    "read_table": "predictors",
    "run": "automoe.pipeline",
    "search_under_budget": "automoe.search",
    "share_log": "profilers",
    "summarise_any": "profilers",
    "train_supernet": "automoe.training",
    "verify": "automoe.search",
}
# These modules have a function of the same name: automoe.cost.cost, automoe.search.search.
_MODULES = {
    "cost": "automoe.architecture.cost",
    "features": "automoe.latency.features",
    "search": "automoe.search",
}
__all__ = sorted([*_HOMES, *_MODULES, "__version__"])

if TYPE_CHECKING:
    from automoe import search as search
    from automoe.architecture import cost as cost
    from automoe.architecture.architecture import Architecture as Architecture
    from automoe.architecture.architecture_files import read_architecture as read_architecture
    from automoe.architecture.space import SearchSpace as SearchSpace
    from automoe.architecture.translation_workload import TranslationWorkload as TranslationWorkload
    from automoe.export import export_model as export_model
    from automoe.latency import features as features
    from automoe.latency.architecture_profiling import (
        profile_architectures as profile_architectures,
    )
    from automoe.latency.model import LatencyModel as LatencyModel
    from automoe.latency.model_profiling import profile_model as profile_model
    from automoe.pipeline import RunConfig as RunConfig
    from automoe.pipeline import draw_report as draw_report
    from automoe.pipeline import run as run
    from automoe.search import SearchSettings as SearchSettings
    from automoe.search import search_under_budget as search_under_budget
    from automoe.search import verify as verify
    from automoe.supernet import Transformer as Transformer
    from automoe.supernet import extract as extract
    from automoe.text import open_corpus as open_corpus
    from automoe.training import TrainingSettings as TrainingSettings
    from automoe.training import finetune as finetune
    from automoe.training import train_supernet as train_supernet
    from automoe.training.model_folder import TrainedModel as TrainedModel
    from automoe.training.model_folder import load as load
    from automoe.training.publishing import publish_model as publish_model
    from automoe.translation import Translator as Translator
    from automoe.translation import evaluate as evaluate
    from devices import describe_devices as describe_devices
    from devices.opening import opened_device as opened_device
    from predictors import Predictor as Predictor
    from predictors import fit_log as fit_log
    from predictors import read_table as read_table
    from profilers import Protocol as Protocol
    from profilers import audit_log as audit_log
    from profilers import compare as compare
    from profilers import read_any_log as read_any_log
    from profilers import share_log as share_log
    from profilers import summarise_any as summarise_any
    from profilers.tensorrt.lint import lint_dialects as lint_dialects


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(_MODULES[name])
    if name not in _HOMES:
        raise AttributeError(f"module 'automoe' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
