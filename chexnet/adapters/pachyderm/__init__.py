"""Pachyderm, by its SDK: files and commits in store.py, pipelines and jobs in pipelines.py."""

from chexnet.adapters.pachyderm.store import PachydermStore

__all__ = ["PachydermStore"]
