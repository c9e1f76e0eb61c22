"""One folder per process, a thin main each."""
