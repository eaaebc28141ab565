"""Workbooks and delimited text: read as documents, and written as corrections and templates."""

from connectors.formats.workbook.reader import Workbook

__all__ = ["Workbook"]
