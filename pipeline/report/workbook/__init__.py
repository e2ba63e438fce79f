"""The workbook: a cover with the age of the data and control totals, and one sheet a mart. XlsxWriter lives here."""

from pipeline.report.workbook.cover import Left
from pipeline.report.workbook.writing import write_workbook

__all__ = ["Left", "write_workbook"]
