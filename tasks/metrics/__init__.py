"""Scores of predictions against references: pure functions, per example and in aggregate, raw fractions."""
