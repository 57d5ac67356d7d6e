"""Builders and runners that the tests share."""
