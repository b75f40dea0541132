"""Stage packages that can be called: `rmqnet.fit` is the package of the fits and the function that runs one."""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


def callable_package(package: str, module: str, function: str) -> None:
    """Make a call of the package call this function, imported when it is first needed."""

    class CallablePackage(ModuleType):
        """A package that can be called."""

        def __call__(self, *arguments: Any, **options: Any) -> Any:
            """What the function of the stage returns."""
            return getattr(import_module(module), function)(*arguments, **options)

    sys.modules[package].__class__ = CallablePackage
