"""The page: the figures of a published warehouse as one HTML document that needs nothing from outside."""

from pipeline.report.page.document import page

__all__ = ["page"]
