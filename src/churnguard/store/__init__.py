"""Adapters to the outside world: the SQL store, the Parquet history, MLflow."""
