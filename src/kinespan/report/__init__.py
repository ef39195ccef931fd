"""One self-contained HTML file: the skeleton moving, timelines and score curves under it, metric tables below."""

from .data import ReportData, ReportRecording
from .page import render_report, write_report

__all__ = ["ReportData", "ReportRecording", "render_report", "write_report"]
