"""What lies in the database. Bytes of files lie beside it: see blobs.py.

A commit's tree is a stack of layers, oldest first; in each, a row is a file or its deletion. The
topmost row of a path counts: see trees.py. Times are microseconds since 1970.
"""

from __future__ import annotations

FILES = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE projects (
    name TEXT PRIMARY KEY,
    description TEXT NOT NULL,
    created INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE repos (
    key INTEGER PRIMARY KEY,
    project TEXT NOT NULL REFERENCES projects,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    description TEXT NOT NULL,
    created INTEGER NOT NULL,
    UNIQUE (project, name, type)
);

CREATE TABLE commits (
    key INTEGER PRIMARY KEY AUTOINCREMENT, -- In the order in which they started.
    repo INTEGER NOT NULL REFERENCES repos,
    id TEXT NOT NULL,
    branch TEXT NOT NULL,
    parent INTEGER,
    origin INTEGER NOT NULL,
    description TEXT NOT NULL,
    started INTEGER NOT NULL,
    finishing INTEGER,
    finished INTEGER,
    error TEXT NOT NULL DEFAULT '',
    diff INTEGER NOT NULL, -- The layer with what this commit changed.
    stack TEXT, -- JSON list of layers, once finished.
    size INTEGER NOT NULL DEFAULT 0,
    UNIQUE (repo, id)
);
CREATE INDEX commits_of_a_set ON commits (id);
CREATE INDEX children ON commits (parent);

CREATE TABLE commit_provenance (
    downstream INTEGER NOT NULL,
    upstream INTEGER NOT NULL,
    PRIMARY KEY (downstream, upstream)
) WITHOUT ROWID;
CREATE INDEX commit_subvenance ON commit_provenance (upstream);

CREATE TABLE branches (
    key INTEGER PRIMARY KEY,
    repo INTEGER NOT NULL REFERENCES repos,
    name TEXT NOT NULL,
    head INTEGER NOT NULL REFERENCES commits,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    UNIQUE (repo, name)
);
CREATE INDEX branches_at ON branches (head);

CREATE TABLE branch_provenance (
    downstream INTEGER NOT NULL,
    upstream INTEGER NOT NULL,
    PRIMARY KEY (downstream, upstream)
) WITHOUT ROWID;
CREATE INDEX branch_subvenance ON branch_provenance (upstream);

CREATE TABLE layers (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    repo INTEGER NOT NULL,
    rows INTEGER NOT NULL DEFAULT 0 -- Counted when the commit finishes.
);
CREATE INDEX layers_of ON layers (repo);

CREATE TABLE entries (
    layer INTEGER NOT NULL,
    path TEXT NOT NULL,
    size INTEGER NOT NULL,
    hash BLOB, -- NULL: the path is deleted here.
    chunks BLOB NOT NULL, -- The chunks' hashes, one after the other.
    PRIMARY KEY (layer, path)
) WITHOUT ROWID;

CREATE TABLE chunks (
    hash BLOB PRIMARY KEY,
    pack INTEGER NOT NULL,
    start INTEGER NOT NULL,
    size INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE transactions (
    id TEXT PRIMARY KEY,
    started INTEGER NOT NULL,
    requests BLOB NOT NULL -- A TransactionInfo message.
) WITHOUT ROWID;
"""

PIPELINES = """
CREATE TABLE pipelines (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    project TEXT NOT NULL REFERENCES projects,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    output_branch TEXT NOT NULL,
    info BLOB NOT NULL, -- A PipelineInfo message.
    UNIQUE (project, name, version)
);

CREATE TABLE jobs (
    key INTEGER PRIMARY KEY AUTOINCREMENT, -- In the order in which they were made.
    project TEXT NOT NULL,
    pipeline TEXT NOT NULL,
    id TEXT NOT NULL, -- Also of its commits.
    version INTEGER NOT NULL, -- Of the pipeline.
    over INTEGER NOT NULL, -- Whether its state is the last.
    info BLOB NOT NULL, -- A JobInfo message.
    UNIQUE (project, pipeline, id)
);
CREATE INDEX jobs_of_a_set ON jobs (id);
CREATE INDEX open_jobs ON jobs (project, pipeline, over);
"""

# What each version of the format adds; a folder of an older one gets the rest.
VERSIONS = (FILES, PIPELINES)
