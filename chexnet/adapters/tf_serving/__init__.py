"""TF Serving, or services/model_server: the port `Serving` over its gRPC API."""

from chexnet.adapters.tf_serving.client import TfServing

__all__ = ["TfServing"]
