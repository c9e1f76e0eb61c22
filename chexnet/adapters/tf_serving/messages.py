"""TF Serving's messages, without TensorFlow: 0.2 s and 15 MB instead of seconds and 500 MB.

The generated modules import `tensorflow.core…_pb2`, which are plain protobuf but lie in a package
whose __init__ loads the whole library. While they are imported, a bare module with that package's
folder stands in for it. Everything else here takes the messages from this file.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from chexnet.errors import ConfigError


@contextmanager
def _only_messages() -> Iterator[None]:
    """Let `tensorflow.…_pb2` be imported and nothing of the library run."""
    if "tensorflow" in sys.modules:  # It is loaded already, so there is nothing to save.
        yield
        return
    found = importlib.util.find_spec("tensorflow")
    if found is None or found.submodule_search_locations is None:
        rule = "The messages of TF Serving need the package tensorflow, of which only they load."
        raise ConfigError(f"{rule} Received: none. Install it with: make .venv/ready")
    bare = ModuleType("tensorflow")
    bare.__path__ = list(found.submodule_search_locations)
    sys.modules["tensorflow"] = bare
    try:
        yield
    finally:  # A later `import tensorflow` must find nothing half loaded.
        for name in [n for n in sys.modules if n.partition(".")[0] == "tensorflow"]:
            del sys.modules[name]


with _only_messages():
    from tensorflow.core.framework import tensor_pb2, types_pb2
    from tensorflow.core.protobuf import error_codes_pb2, meta_graph_pb2, saved_model_pb2
    from tensorflow_serving.apis import (
        get_model_metadata_pb2,
        get_model_status_pb2,
        model_management_pb2,
        model_pb2,
        model_service_pb2_grpc,
        predict_pb2,
        prediction_service_pb2_grpc,
    )
    from tensorflow_serving.config import model_server_config_pb2

__all__ = [
    "error_codes_pb2",
    "get_model_metadata_pb2",
    "get_model_status_pb2",
    "meta_graph_pb2",
    "model_management_pb2",
    "model_pb2",
    "model_server_config_pb2",
    "model_service_pb2_grpc",
    "predict_pb2",
    "prediction_service_pb2_grpc",
    "saved_model_pb2",
    "tensor_pb2",
    "types_pb2",
]

# The largest gRPC message, both ways: a batch of some hundred images with their maps.
MESSAGE_BYTES = 256 * 2**20
CHANNEL_OPTIONS = [
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
]
