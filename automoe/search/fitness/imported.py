"""A search's objective as a Python callable that the user wrote."""

import hashlib
import inspect
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

from automoe.architecture.architecture import Architecture


class ObjectiveError(ValueError):
    """An objective that cannot be found, or that fails; its name and what went wrong are told."""


@dataclass(frozen=True, slots=True)
class ImportedFitness:
    """A callable by its name, so that any process can call it.

    Attributes:
        name: Such as ``my_package.my_module:my_function``.

    Raises:
        ObjectiveError: There is no such module, or no such callable in it.
    """

    name: str

    def __post_init__(self) -> None:
        _imported(self.name)

    def __call__(self, architecture: Architecture) -> float:
        """What the callable says of an architecture; less is better.

        Raises:
            ObjectiveError: It fails, or returns no number.
        """
        function = _imported(self.name)
        try:
            value = function(architecture)
        except (Exception, SystemExit) as error:  # of the user's code
            raise ObjectiveError(
                f"'objective' {self.name} failed for architecture {architecture.id} with "
                f"{type(error).__name__}: {error}. Mend it."
            ) from error
        try:
            return float(value)
        except Exception:  # whatever a library's own type raises
            raise ObjectiveError(
                f"'objective' {self.name} must return a number for architecture "
                f"{architecture.id}. Got {type(value).__name__}."
            ) from None

    @property
    def digest(self) -> str | None:
        """What the callable says its values depend on; None when it has no such attribute.

        Raises:
            ObjectiveError: It is no text.
        """
        found = getattr(_imported(self.name), "digest", None)
        if found is None or isinstance(found, str):
            return None if found is None else f"{self.name}/{found}"
        raise ObjectiveError(
            f"'objective' {self.name}: its attribute 'digest' must be text that names all its "
            f"values depend on. Got {type(found).__name__}."
        )

    @property
    def source_digest(self) -> str:
        """Changes when the module that defines the callable does; '' where there is no source.

        A search must not go on with values of another function of the same name.
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
            f"{type(error).__name__}: {error}. Mend it."
        ) from error
    found = getattr(module, function_name, None)
    if found is None:
        raise ObjectiveError(
            f"'objective' {name}: the module '{module_name}' has no '{function_name}'."
        )
    if not callable(found):
        raise ObjectiveError(f"'objective' {name} must be callable. Got {type(found).__name__}.")
    return found
