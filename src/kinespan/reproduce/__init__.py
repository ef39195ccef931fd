"""The tables of papers, run row by row from YAML, with our figures beside the published ones."""

from .plan import Plan, Row, find_plan, plan_names
from .run import Scale, reproduce

__all__ = ["Plan", "Row", "Scale", "find_plan", "plan_names", "reproduce"]
