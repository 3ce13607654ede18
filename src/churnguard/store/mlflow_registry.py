"""MLflow, as ChurnGuard uses it: every training is a run, every model a registered version.

Registered is a models-from-code pyfunc over the bundle, so that MLflow's own tools return the same
calibrated risk as every other door, without a pickle; the plain Booster is logged beside it.
"""

from __future__ import annotations

import io
import os
import shutil
import socket
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

from churnguard.clock import from_us
from churnguard.errors import ModelNotFound, StoreError
from churnguard.scoring.bundle import bundle_digest
from churnguard.store.records import RegisteredModel

CHAMPION = "champion"
_BUNDLE_TAG = "churnguard.bundle"
_PROCESS_TAG = "churnguard.process"
_MODEL_CODE = Path(__file__).with_name("pyfunc_model.py")


class MlflowRegistry:
    """A project's MLflow store: tracking in ``mlflow.db``, artifacts under ``artifacts/``.

    Parameters
    ----------
    folder : Path
        The project's ``mlruns/``.
    name : str
        Name of the experiment and of the registered model.
    """

    def __init__(self, folder: Path, name: str) -> None:
        # A served model is data; a process of ours that touches MLflow never unpickles one either.
        os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
        os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
        self._folder = folder.resolve()
        self._name = name
        self._uri = f"sqlite:///{self._folder / 'mlflow.db'}"

    def log_training(
        self,
        *,
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        files: Mapping[str, Path],
        make_bundle: Callable[[str], Path],
        feature_names: Sequence[str],
    ) -> tuple[str, str]:
        """Log one training as a run and register its model.

        Parameters
        ----------
        params, metrics, tags : mapping
            What to show; metric names may hold ``/`` to group them.
        files : mapping of str to Path
            Artifacts by their folder in the run.
        make_bundle : callable
            Given the run id, writes the bundle and returns its folder, named ``bundle`` since
            MLflow keeps the name. A Booster in it is logged as a plain one beside the pyfunc.
        feature_names : sequence of str
            The model's input columns, all float64.

        Returns
        -------
        tuple of str
            Run id and registered version.
        """
        with _quiet(), self._run(tags) as (mlflow, run_id):
            mlflow.log_params(dict(params))
            mlflow.log_metrics(dict(metrics))
            for folder, file in files.items():
                mlflow.log_artifact(str(file), artifact_path=folder)
            bundle = make_bundle(run_id)
            digest = bundle_digest(bundle)
            mlflow.set_tag(_BUNDLE_TAG, digest)
            for booster in sorted((bundle / "models").glob("*.txt")):
                self._log_booster(mlflow, booster)
            info = mlflow.pyfunc.log_model(
                name="model",
                python_model=str(_MODEL_CODE),
                artifacts={"bundle": str(bundle)},
                signature=_signature(feature_names),
                pip_requirements=[_requirement()],
                registered_model_name=self._name,
                await_registration_for=60,
            )
        version = str(info.registered_model_version)
        self._client().set_model_version_tag(self._name, version, _BUNDLE_TAG, digest)
        return run_id, version

    def set_champion(self, version: str) -> None:
        """Point the alias ``champion`` to this version."""
        with _quiet():
            self._client().set_registered_model_alias(self._name, CHAMPION, version)

    def champion_version(self) -> str | None:
        """Return the version that the alias ``champion`` points to."""
        return next((model.version for model in self.versions() if CHAMPION in model.aliases), None)

    def versions(self) -> list[RegisteredModel]:
        """Return all versions, newest first."""
        if not (self._folder / "mlflow.db").exists():
            return []
        with _quiet():
            client = self._client()
            found = client.search_model_versions(f"name = '{self._name}'")
            aliases = _aliases(client, self._name) if found else {}
            models = [
                RegisteredModel(
                    version=str(version.version),
                    run_id=version.run_id,
                    bundle=version.tags.get(_BUNDLE_TAG, ""),
                    created_at=from_us(version.creation_timestamp * 1000),
                    aliases=tuple(aliases.get(str(version.version), ())),
                    metrics=dict(client.get_run(version.run_id).data.metrics),
                    tags=dict(version.tags),
                )
                for version in found
            ]
        return sorted(models, key=lambda model: int(model.version), reverse=True)

    def fetch_bundle(self, version: str, target: Path) -> Path:
        """Copy a version's bundle into ``target`` and return its folder.

        Raises
        ------
        ModelNotFound
            If there is no such version.
        """
        with _quiet():
            mlflow = self._mlflow()
            try:
                source = self._client().get_model_version_download_uri(self._name, version)
                local = mlflow.artifacts.download_artifacts(f"{source}/artifacts/bundle")
            except mlflow.exceptions.MlflowException as error:
                raise ModelNotFound(
                    f"There is no model version '{version}'.",
                    hint="'churnguard models list' shows the versions there are.",
                ) from error
        shutil.copytree(local, target, dirs_exist_ok=True)
        return target

    def _mlflow(self) -> Any:
        """Import MLflow (seconds) and make its store on first use."""
        import mlflow

        self._folder.mkdir(parents=True, exist_ok=True)
        mlflow.set_tracking_uri(self._uri)
        mlflow.set_registry_uri(self._uri)
        return mlflow

    def _client(self) -> Any:
        """Open MLflow's store, or say in one sentence that it cannot be."""
        from sqlalchemy.exc import DatabaseError

        mlflow = self._mlflow()
        try:
            return mlflow.MlflowClient()
        except (DatabaseError, mlflow.exceptions.MlflowException) as error:
            why = str(getattr(error, "orig", error)).strip().partition("\n")[0]
            raise StoreError(
                f"MLflow's store mlruns/mlflow.db cannot be opened: {why}.",
                hint="Servers go on with the champion they have. Bring the file back from a "
                "backup, or move mlruns/ away to begin a new one.",
            ) from error

    @contextmanager
    def _run(self, tags: Mapping[str, str]) -> Iterator[tuple[Any, str]]:
        self._client()
        mlflow = self._mlflow()
        experiment = mlflow.get_experiment_by_name(self._name)
        experiment_id = (
            experiment.experiment_id
            if experiment
            else mlflow.create_experiment(self._name, (self._folder / "artifacts").as_uri())
        )
        _close_dead_runs(mlflow, experiment_id)
        process = {_PROCESS_TAG: f"{socket.gethostname()}:{os.getpid()}"}
        with mlflow.start_run(experiment_id=experiment_id, tags={**tags, **process}) as run:
            yield mlflow, run.info.run_id

    def _log_booster(self, mlflow: Any, booster: Path) -> None:
        from churnguard.training.boosted import load_booster

        mlflow.lightgbm.log_model(
            load_booster(booster), name="booster", pip_requirements=["lightgbm"]
        )


def _close_dead_runs(mlflow: Any, experiment_id: str) -> None:
    """Mark as failed what this machine's killed processes left as running."""
    client = mlflow.MlflowClient()
    for run in client.search_runs([experiment_id], "attributes.status = 'RUNNING'"):
        host, _, process = run.data.tags.get(_PROCESS_TAG, "").partition(":")
        if host == socket.gethostname() and process.isdigit() and not _is_alive(int(process)):
            client.set_terminated(run.info.run_id, "FAILED")


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return process != os.getpid()  # a run of our own number is of another life


def _aliases(client: Any, name: str) -> dict[str, list[str]]:
    """Return the aliases of each version; MLflow keeps them by alias."""
    by_version: dict[str, list[str]] = {}
    for alias, version in client.get_registered_model(name).aliases.items():
        by_version.setdefault(str(version), []).append(alias)
    return by_version


def _signature(feature_names: Sequence[str]) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    inputs = [ColSpec(DataType.double, name) for name in feature_names]
    return ModelSignature(Schema(inputs), Schema([ColSpec(DataType.double, "churn_risk")]))


def _requirement() -> str:
    from churnguard import __version__

    return f"churnguard=={__version__}"


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep MLflow's talk and its libraries' warnings off a person's terminal."""
    with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
