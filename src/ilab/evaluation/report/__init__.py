"""One ReportData becomes report.md, report.html and a screen summary."""
