"""The tables of papers, run row by row from YAML."""

from .plan import Plan, Row, Scale, find_plan, plan_names

__all__ = ["Plan", "Row", "Scale", "find_plan", "plan_names"]
