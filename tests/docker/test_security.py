"""Who may do what, who gets in, and what the wire shows, in containers."""

from tests.integration.test_security import (  # noqa: F401 Tests, and the fixtures that they ask for.
    bus,
    secure,
    test_a_client_without_a_user_is_refused,
    test_a_film_and_the_token_on_the_way_to_the_gateway,
    test_a_film_on_the_way_to_the_store,
    test_a_reader_does_not_see_the_uploads,
    test_a_reader_writes_feedback_and_reads_what_readers_are_shown,
    test_a_reader_writes_nothing_else,
    test_a_wrong_password_is_told_as_such_within_seconds,
    test_an_operator_sends_dead_letters_back,
    test_nobody_else_becomes_the_writer_of_control,
    test_only_an_operator_writes_control_and_audit,
    test_pixels_on_the_bus,
    test_pixels_on_the_way_to_serving,
    test_tls_alone_is_not_enough,
    wired,
)
