"""The autopilot: profile, plan, run, combine, judge, answer, narrate. `analyze` returns a `Study`."""

from whence.autopilot.pipeline import analyze
from whence.autopilot.plan import Candidate, Plan
from whence.autopilot.study import Decision, EdgeJudgement, Finding, RankedEffect, Study

__all__ = ["Candidate", "Decision", "EdgeJudgement", "Finding", "Plan", "RankedEffect", "Study", "analyze"]
