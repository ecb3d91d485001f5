"""The room of autopilot."""
