"""Journeys: what somebody is sent unasked, one file each, and how they go through it."""
