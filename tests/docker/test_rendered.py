"""The rendered stacks of both forms, as the engine's own compose reads them."""

from tests.ansible.test_rendered import built, registry, test_compose_accepts_a_stack

__all__ = ["built", "registry", "test_compose_accepts_a_stack"]
