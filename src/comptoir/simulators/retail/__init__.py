"""A real year of a real web shop, played from its published invoice lines. The rules: docs/explanation/real-year.md."""
