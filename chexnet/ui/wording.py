"""Probabilities as people say them."""

from __future__ import annotations

# Up to which probability a word is used. The words are those of Panicek and Hricak 2016, AJR
# 207:2-3, at 10, 25, 50, 75 and 90 %; the bounds lie half way between those in the middle.
WORDS = (
    (0.1, "unlikely"),
    (0.375, "less likely"),
    (0.625, "possible"),
    (0.9, "probable"),
    (1.0, "consistent with it"),
)


def in_words(probability: float) -> str:
    """Return the word for a probability; only a calibrated one deserves it."""
    return next(word for bound, word in WORDS if probability <= bound)


def word_scale() -> str:
    """Return what the words stand for, as a reader is told."""
    told = [f"{word} to {100 * bound:g} %" for bound, word in WORDS[:-1]]
    return f"Words go by the probability alone: {', '.join(told)}, {WORDS[-1][1]} above."
