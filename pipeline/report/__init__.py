"""What people read: frames for programs, the page, the workbook, exports. pandas lives here."""

from pipeline.report.values import ReportFacts

__all__ = ["ReportFacts"]
