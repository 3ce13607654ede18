"""Reads a project's rooms. Their Python files are loaded by path, once; they are not packages."""

from __future__ import annotations

import sys
from functools import lru_cache
from hashlib import sha256
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from churnguard.errors import CatalogueError, ChurnGuardError, RecipeError
from churnguard.features.catalogue import WINDOWS, Catalogue
from churnguard.features.signal import EVERY, Definition, Signal, definitions_of
from churnguard.project.layout import Layout
from churnguard.training.recipe import Recipe, read_recipe

CATALOGUE_FILE = "catalogue.py"
_HINT = "docs/own-signals.md tells how a signal is written."


def load_catalogue(layout: Layout) -> Catalogue:
    """Return the project's catalogue: its choice of families, and the shop's own signals.

    ``features/catalogue.py`` must hold ``CATALOGUE``; every signal in another file of ``features/``
    is added, in the order of file names, once it has shown that it keeps the contract of signals.

    Raises
    ------
    CatalogueError
        If a file cannot be imported, the catalogue is missing or wrong, or a signal breaks the
        contract (see ``churnguard.features.contract``). The file is named.
    """
    file = layout.features / CATALOGUE_FILE
    if not file.is_file():
        raise CatalogueError(
            f"The project has no {file.relative_to(layout.root)}.",
            hint="'churnguard init' writes one; copy it from a new project.",
            file=file,
        )
    catalogue = getattr(_load(file, file.stat().st_mtime_ns), "CATALOGUE", None)
    if not isinstance(catalogue, Catalogue):
        raise CatalogueError(f"{file} defines no CATALOGUE.", hint=_HINT, file=file)
    return Catalogue((*catalogue.signals, *_own_signals(layout, _windows_of(catalogue))))


def load_own_signals(layout: Layout) -> list[Definition]:
    """Import the shop's own signals, so that bundles that use them can be read.

    Raises
    ------
    CatalogueError
        If a file cannot be imported. The file is named.
    """
    modules = [_load(file, file.stat().st_mtime_ns) for file in _own_files(layout)]
    return [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, Definition) and value.pattern.compute.__module__ == module.__name__
    ]


def _own_files(layout: Layout) -> list[Path]:
    return [f for f in sorted(layout.features.glob("*.py")) if f.name != CATALOGUE_FILE]


def _own_signals(layout: Layout, windows: tuple[int, ...]) -> tuple[Signal, ...]:
    """Return the shop's own signals, tried out once for each state of their files."""
    files = _own_files(layout)
    return _tried(layout, tuple((file, file.stat().st_mtime_ns) for file in files), windows)


@lru_cache(maxsize=16)
def _tried(
    layout: Layout, files: tuple[tuple[Path, int], ...], windows: tuple[int, ...]
) -> tuple[Signal, ...]:
    own = [signal for found in load_own_signals(layout) for signal in found.signals(windows)]
    if files and own:
        from churnguard.features.contract import refuse_breaches

        refuse_breaches(own)
    return tuple(own)


def _windows_of(catalogue: Catalogue) -> tuple[int, ...]:
    """Return the windows that a catalogue chose for signals that leave the choice to it."""
    chosen = {
        found.days
        for found in catalogue.signals
        if found.days and any(d.windows == EVERY for d in definitions_of(found.source))
    }
    return tuple(sorted(chosen)) or WINDOWS


def load_recipe(layout: Layout, name: str) -> Recipe:
    """Return a recipe of ``training/`` by its name.

    Raises
    ------
    RecipeError
        If there is no such recipe, or it cannot be used.
    """
    file = layout.training / f"{name}.toml"
    if not file.is_file():
        there = ", ".join(sorted(f.stem for f in layout.training.glob("*.toml"))) or "none"
        raise RecipeError(
            f"There is no recipe '{name}' in training/.", hint=f"There is: {there}.", file=file
        )
    return read_recipe(file)


@lru_cache(maxsize=64)
def _load(file: Path, changed: int) -> ModuleType:
    """Import a file by its path, again only when it has changed."""
    del changed
    family = file.stem
    name = f"churnguard_project_{sha256(str(file.resolve()).encode()).hexdigest()[:12]}.{family}"
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise CatalogueError(f"{file} cannot be imported.", hint=_HINT, file=file)
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except ChurnGuardError:
        raise
    except Exception as error:
        raise CatalogueError(
            f"{file} cannot be imported: {type(error).__name__}: {error}.", hint=_HINT, file=file
        ) from error
    return module
