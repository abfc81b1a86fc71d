"""Evaluate an objective that is a Python function of the user."""

import hashlib
import inspect
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

from automoe.architecture.architecture import Architecture


class ObjectiveError(ValueError):
    """An objective is missing or fails. The message names the objective and the error."""


@dataclass(frozen=True, slots=True)
class ImportedFitness:
    """A callable of the user, held by its name, so that any process can call it.

    Attributes:
        name: The name, such as ``my_package.my_module:my_function``.

    Raises:
        ObjectiveError: There is no such module, or no such callable in it.
    """

    name: str

    def __post_init__(self) -> None:
        _imported(self.name)

    def __call__(self, architecture: Architecture) -> float:
        """Return the value of the callable for an architecture; a smaller one is better.

        Raises:
            ObjectiveError: The callable fails or does not return a number.
        """
        function = _imported(self.name)
        try:
            value = function(architecture)
        except (Exception, SystemExit) as error:  # of the user's code
            raise ObjectiveError(
                f"'objective' {self.name} failed for architecture {architecture.id} with "
                f"{type(error).__name__}: {error}. Correct the function."
            ) from error
        try:
            return float(value)
        except Exception:  # a library's own type may raise any error
            raise ObjectiveError(
                f"'objective' {self.name} must return a number for architecture "
                f"{architecture.id}. Got {type(value).__name__}."
            ) from None

    @property
    def digest(self) -> str | None:
        """The callable's name and attribute ``digest``; None when it has no such attribute.

        Raises:
            ObjectiveError: The attribute is not text.
        """
        digest = getattr(_imported(self.name), "digest", None)
        if digest is None or isinstance(digest, str):
            return None if digest is None else f"{self.name}/{digest}"
        raise ObjectiveError(
            f"'objective' {self.name}: its attribute 'digest' must be text that names everything "
            f"its values depend on. Got {type(digest).__name__}."
        )

    @property
    def source_digest(self) -> str:
        """A digest of the module that defines the callable; '' when there is no source.

        A search must not resume with values of another function of the same name.
        """
        function = _imported(self.name)
        while isinstance(function, partial):
            function = function.func
        try:
            source = inspect.getsource(inspect.getmodule(function) or function)
        except (OSError, TypeError):
            return ""
        return hashlib.sha256(source.encode()).hexdigest()


def _imported(name: str) -> Any:
    module_name, _, function_name = name.partition(":")
    if not module_name or not function_name:
        raise ObjectiveError(f"'objective' must be loss, bleu or MODULE:FUNCTION. Got '{name}'.")
    try:
        module = import_module(module_name)
    except ImportError as error:
        raise ObjectiveError(
            f"'objective' {name}: {error}. Check the name and PYTHONPATH."
        ) from None
    except (Exception, SystemExit) as error:  # of the user's code
        raise ObjectiveError(
            f"'objective' {name}: importing '{module_name}' failed with "
            f"{type(error).__name__}: {error}. Correct the function."
        ) from error
    function = getattr(module, function_name, None)
    if function is None:
        raise ObjectiveError(
            f"'objective' {name}: the module '{module_name}' has no '{function_name}'."
        )
    if not callable(function):
        raise ObjectiveError(f"'objective' {name} must be callable. Got {type(function).__name__}.")
    return function
