"""A Docker engine, for releases that ship as images."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import docker
from docker.errors import APIError, BuildError, DockerException, ImageNotFound

from chexnet.errors import NotFound, Refused, Unavailable
from chexnet.messages import Release

OWN = "chexnet.image"  # The label of this project's images.
MODELS = "/models"  # As tensorflow/serving has it.


def build(folder: Path, release: Release, *, base: str, name: str) -> str:
    """Bake one release into an image that serves it by itself; return the image's id.

    Args:
        folder: the version's own, as serving reads it.
        release: its record; version, commit and card become labels.
        base: an image of TF Serving, or this project's model_server.
        name: the new image's name and tag.

    Raises:
        Unavailable: no engine answers.
        NotFound: the engine has no such base.
        Refused: the engine does not build it.
    """
    try:
        engine = docker.from_env()
        engine.ping()
    except DockerException as error:
        rule = "An image is built by a Docker engine, at DOCKER_HOST or its usual socket."
        raise Unavailable(
            f"{rule} Received: {error}. Start one, or run it where one is."
        ) from error
    try:
        own = OWN in engine.images.get(base).labels
    except ImageNotFound as error:
        rule = (
            f"The base of a release's image must be on the engine. Received: {base}, which is not."
        )
        raise NotFound(f"{rule} Pull it, or name another with --base.") from error
    context = _context(folder, _dockerfile(release, base, own=own))
    try:
        image, _ = engine.images.build(
            fileobj=context, custom_context=True, tag=name, labels=_labels(release), rm=True
        )
    except (BuildError, APIError) as error:
        raise Refused(f"The engine must build {name}. Received: {error}.") from error
    return str(image.id)


def _labels(release: Release) -> dict[str, str]:
    return {
        "org.opencontainers.image.version": str(release.version),
        "chexnet.release": f"{release.model}/{release.version}",
        "chexnet.commit": f"{release.repo}@{release.commit}",
        "chexnet.sha256": release.sha256,
        "chexnet.card": release.encode().decode(),
    }


def _dockerfile(release: Release, base: str, *, own: bool) -> str:
    """Return the recipe; what TF Serving's image does by itself is said for ours."""
    lines = [
        f"FROM {base}",
        f"COPY release {MODELS}/{release.model}/{release.version}",
        f"ENV MODEL_NAME={release.model}",
    ]
    if own:
        lines += [
            "ENV CHEXNET_MODEL_SERVER__GRPC=0.0.0.0:8500",
            "ENV CHEXNET_MODEL_SERVER__REST=0.0.0.0:8501",
            f"ENV CHEXNET_MODEL_SERVER__MODELS={MODELS}",
            "ENV CHEXNET_MODEL_SERVER__CACHE=/tmp/compiled",
            f"CMD {json.dumps(['python', '-m', 'services.model_server.main'])}",
        ]
    return "\n".join([*lines, ""])


def _context(folder: Path, dockerfile: str) -> io.BytesIO:
    """Return the build's context as a tar: readable for whoever the container runs as."""

    def readable(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.mode = 0o755 if member.isdir() else 0o644
        return member

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.add(folder, "release", filter=readable)
        head = tarfile.TarInfo("Dockerfile")
        head.size = len(dockerfile.encode())
        archive.addfile(head, io.BytesIO(dockerfile.encode()))
    out.seek(0)
    return out
