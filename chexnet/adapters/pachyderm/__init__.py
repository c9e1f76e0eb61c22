"""Pachyderm, by its SDK: files and commits in store.py, pipelines and jobs in pipelines.py."""

from chexnet.adapters.pachyderm.jobs import Job
from chexnet.adapters.pachyderm.pipelines import PachydermPipelines
from chexnet.adapters.pachyderm.store import PachydermStore

__all__ = ["Job", "PachydermPipelines", "PachydermStore"]
