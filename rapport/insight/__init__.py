"""Figures of what the assistant does: counted days, satisfaction, segments over time, charts."""
